;; Poly1305 (RFC 8439, section 2.5), any number of pieces.
;;
;; The accumulator h and the key r are numbers to the base 2^32. r is clamped, so r1, r2 and r3 are divisible by 4 and
;; 2^128 * rN = 2^130 * rN/4, which modulo 2^130 - 5 is 5 * rN/4. That is kept as sN = rN + rN/4, and a product of two
;; such numbers needs 20 multiplications. Limbs may exceed 32 bits for a while: with h0 below 3.1 * 2^32, the others below
;; 2^33 and rN below 2^28, no sum reaches 2^64.
(module
  ;; 0: h0..h4 as i64. 64: the key, r then s. 96: the tag. 1024: where the caller puts the message, piece by piece, unless
  ;; it lies further behind as a whole.
  (memory (export "memory") 2)

  ;; Takes the key from 64 and empties the accumulator.
  (func (export "start")
    (memory.fill (i32.const 0) (i32.const 0) (i32.const 40))
    (i32.store (i32.const 64) (i32.and (i32.load (i32.const 64)) (i32.const 0x0fffffff)))
    (i32.store (i32.const 68) (i32.and (i32.load (i32.const 68)) (i32.const 0x0ffffffc)))
    (i32.store (i32.const 72) (i32.and (i32.load (i32.const 72)) (i32.const 0x0ffffffc)))
    (i32.store (i32.const 76) (i32.and (i32.load (i32.const 76)) (i32.const 0x0ffffffc))))

  ;; Adds the 16-byte blocks from $at to $end, each with $high above it: 1 for whole blocks.
  (func $blocks (export "blocks") (param $at i32) (param $end i32) (param $high i64)
    (local $h0 i64) (local $h1 i64) (local $h2 i64) (local $h3 i64) (local $h4 i64)
    (local $r0 i64) (local $r1 i64) (local $r2 i64) (local $r3 i64)
    (local $s1 i64) (local $s2 i64) (local $s3 i64)
    (local $d0 i64) (local $d1 i64) (local $d2 i64) (local $d3 i64)
    (local.set $h0 (i64.load (i32.const 0)))
    (local.set $h1 (i64.load (i32.const 8)))
    (local.set $h2 (i64.load (i32.const 16)))
    (local.set $h3 (i64.load (i32.const 24)))
    (local.set $h4 (i64.load (i32.const 32)))
    (local.set $r0 (i64.load32_u (i32.const 64)))
    (local.set $r1 (i64.load32_u (i32.const 68)))
    (local.set $r2 (i64.load32_u (i32.const 72)))
    (local.set $r3 (i64.load32_u (i32.const 76)))
    (local.set $s1 (i64.add (local.get $r1) (i64.shr_u (local.get $r1) (i64.const 2))))
    (local.set $s2 (i64.add (local.get $r2) (i64.shr_u (local.get $r2) (i64.const 2))))
    (local.set $s3 (i64.add (local.get $r3) (i64.shr_u (local.get $r3) (i64.const 2))))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $at) (local.get $end)))

        (local.set $h0 (i64.add (local.get $h0) (i64.load32_u (local.get $at))))
        (local.set $h1 (i64.add (local.get $h1) (i64.load32_u offset=4 (local.get $at))))
        (local.set $h2 (i64.add (local.get $h2) (i64.load32_u offset=8 (local.get $at))))
        (local.set $h3 (i64.add (local.get $h3) (i64.load32_u offset=12 (local.get $at))))
        (local.set $h4 (i64.add (local.get $h4) (local.get $high)))

        (local.set $d0
          (i64.add
            (i64.add (i64.mul (local.get $h0) (local.get $r0)) (i64.mul (local.get $h1) (local.get $s3)))
            (i64.add (i64.mul (local.get $h2) (local.get $s2)) (i64.mul (local.get $h3) (local.get $s1)))))
        (local.set $d1
          (i64.add
            (i64.add
              (i64.add (i64.mul (local.get $h0) (local.get $r1)) (i64.mul (local.get $h1) (local.get $r0)))
              (i64.add (i64.mul (local.get $h2) (local.get $s3)) (i64.mul (local.get $h3) (local.get $s2))))
            (i64.mul (local.get $h4) (local.get $s1))))
        (local.set $d2
          (i64.add
            (i64.add
              (i64.add (i64.mul (local.get $h0) (local.get $r2)) (i64.mul (local.get $h1) (local.get $r1)))
              (i64.add (i64.mul (local.get $h2) (local.get $r0)) (i64.mul (local.get $h3) (local.get $s3))))
            (i64.mul (local.get $h4) (local.get $s2))))
        (local.set $d3
          (i64.add
            (i64.add
              (i64.add (i64.mul (local.get $h0) (local.get $r3)) (i64.mul (local.get $h1) (local.get $r2)))
              (i64.add (i64.mul (local.get $h2) (local.get $r1)) (i64.mul (local.get $h3) (local.get $r0))))
            (i64.mul (local.get $h4) (local.get $s3))))
        (local.set $h4 (i64.mul (local.get $h4) (local.get $r0)))

        (local.set $d1 (i64.add (local.get $d1) (i64.shr_u (local.get $d0) (i64.const 32))))
        (local.set $d2 (i64.add (local.get $d2) (i64.shr_u (local.get $d1) (i64.const 32))))
        (local.set $d3 (i64.add (local.get $d3) (i64.shr_u (local.get $d2) (i64.const 32))))
        (local.set $h4 (i64.add (local.get $h4) (i64.shr_u (local.get $d3) (i64.const 32))))
        (local.set $h1 (i64.and (local.get $d1) (i64.const 0xffffffff)))
        (local.set $h2 (i64.and (local.get $d2) (i64.const 0xffffffff)))
        (local.set $h3 (i64.and (local.get $d3) (i64.const 0xffffffff)))
        ;; What lies at 2^130 and above comes back five times at the bottom: (h4 >> 2) * 5 = (h4 >> 2) + (h4 & ~3).
        (local.set $h0
          (i64.add
            (i64.and (local.get $d0) (i64.const 0xffffffff))
            (i64.add (i64.shr_u (local.get $h4) (i64.const 2)) (i64.and (local.get $h4) (i64.const -4)))))
        (local.set $h4 (i64.and (local.get $h4) (i64.const 3)))

        (local.set $at (i32.add (local.get $at) (i32.const 16)))
        (br $next)))
    (i64.store (i32.const 0) (local.get $h0))
    (i64.store (i32.const 8) (local.get $h1))
    (i64.store (i32.const 16) (local.get $h2))
    (i64.store (i32.const 24) (local.get $h3))
    (i64.store (i32.const 32) (local.get $h4)))

  ;; Adds $length bytes at 1024. Only the last piece may have a length that is no multiple of 16. What stands behind a
  ;; shorter last block is overwritten.
  (func (export "update") (param $length i32)
    (local $whole i32) (local $rest i32)
    (local.set $whole (i32.add (i32.const 1024) (i32.and (local.get $length) (i32.const -16))))
    (call $blocks (i32.const 1024) (local.get $whole) (i64.const 1))
    (local.set $rest (i32.and (local.get $length) (i32.const 15)))
    (if (local.get $rest)
      (then
        ;; A shorter block has its 1 right behind its bytes.
        (memory.fill
          (i32.add (local.get $whole) (local.get $rest))
          (i32.const 0)
          (i32.sub (i32.const 16) (local.get $rest)))
        (i32.store8 (i32.add (local.get $whole) (local.get $rest)) (i32.const 1))
        (call $blocks (local.get $whole) (i32.add (local.get $whole) (i32.const 16)) (i64.const 0)))))

  ;; Writes the tag to 96: (h mod 2^130 - 5) + s, modulo 2^128.
  (func (export "finish")
    (local $h0 i64) (local $h1 i64) (local $h2 i64) (local $h3 i64) (local $h4 i64)
    (local $g0 i64) (local $g1 i64) (local $g2 i64) (local $g3 i64) (local $take i64)
    (local.set $h0 (i64.load (i32.const 0)))
    (local.set $h1 (i64.add (i64.load (i32.const 8)) (i64.shr_u (local.get $h0) (i64.const 32))))
    (local.set $h2 (i64.add (i64.load (i32.const 16)) (i64.shr_u (local.get $h1) (i64.const 32))))
    (local.set $h3 (i64.add (i64.load (i32.const 24)) (i64.shr_u (local.get $h2) (i64.const 32))))
    (local.set $h4 (i64.add (i64.load (i32.const 32)) (i64.shr_u (local.get $h3) (i64.const 32))))
    (local.set $h0 (i64.and (local.get $h0) (i64.const 0xffffffff)))
    (local.set $h1 (i64.and (local.get $h1) (i64.const 0xffffffff)))
    (local.set $h2 (i64.and (local.get $h2) (i64.const 0xffffffff)))
    (local.set $h3 (i64.and (local.get $h3) (i64.const 0xffffffff)))

    ;; g = h + 5. When that reaches 2^130, h is not below the modulus, and g without that bit is h minus the modulus.
    (local.set $g0 (i64.add (local.get $h0) (i64.const 5)))
    (local.set $g1 (i64.add (local.get $h1) (i64.shr_u (local.get $g0) (i64.const 32))))
    (local.set $g2 (i64.add (local.get $h2) (i64.shr_u (local.get $g1) (i64.const 32))))
    (local.set $g3 (i64.add (local.get $h3) (i64.shr_u (local.get $g2) (i64.const 32))))
    ;; All ones when g is to be taken, without a branch on secrets. h4 is at most 4: an h of up to 2^130 + 2^32 is brought below.
    (local.set $take
      (i64.sub
        (i64.const 0)
        (i64.extend_i32_u
          (i64.ge_u (i64.add (local.get $h4) (i64.shr_u (local.get $g3) (i64.const 32))) (i64.const 4)))))
    (local.set $h0 (call $choose (local.get $take) (local.get $g0) (local.get $h0)))
    (local.set $h1 (call $choose (local.get $take) (local.get $g1) (local.get $h1)))
    (local.set $h2 (call $choose (local.get $take) (local.get $g2) (local.get $h2)))
    (local.set $h3 (call $choose (local.get $take) (local.get $g3) (local.get $h3)))

    (local.set $h0 (i64.add (local.get $h0) (i64.load32_u (i32.const 80))))
    (local.set $h1 (i64.add (i64.add (local.get $h1) (i64.load32_u (i32.const 84))) (i64.shr_u (local.get $h0) (i64.const 32))))
    (local.set $h2 (i64.add (i64.add (local.get $h2) (i64.load32_u (i32.const 88))) (i64.shr_u (local.get $h1) (i64.const 32))))
    (local.set $h3 (i64.add (i64.add (local.get $h3) (i64.load32_u (i32.const 92))) (i64.shr_u (local.get $h2) (i64.const 32))))
    (i64.store32 (i32.const 96) (local.get $h0))
    (i64.store32 (i32.const 100) (local.get $h1))
    (i64.store32 (i32.const 104) (local.get $h2))
    (i64.store32 (i32.const 108) (local.get $h3)))

  ;; The low 32 bits of $one where $mask is all ones, of $other where it is all zeros.
  (func $choose (param $mask i64) (param $one i64) (param $other i64) (result i64)
    (i64.and
      (i64.const 0xffffffff)
      (i64.or
        (i64.and (local.get $mask) (local.get $one))
        (i64.and (i64.xor (local.get $mask) (i64.const -1)) (local.get $other))))))
