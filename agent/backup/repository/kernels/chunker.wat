;; Finds the places where a file is cut: those at which the Rabin fingerprint of the 64 bytes before has its lowest bits zero.
;;
;; The fingerprint is the remainder of those 64 bytes, read as a polynomial over GF(2), by the polynomial of the
;; repository, of degree 53. It depends on 64 bytes only and not on where a chunk began, so several places are looked at
;; side by side: one after another, each step would wait for the one before.
(module
  ;; 0: for each byte b, b * x^512 mod P: what it leaves when it moves out of the window.
  ;; 2048: for each byte b, b * x^53 with its own remainder: what brings a shifted fingerprint below x^53 again.
  ;; 8192: where the caller puts the data. One byte behind it is read, and does not count.
  (memory (export "memory") 1)

  ;; The fingerprint of the 64 bytes at $at.
  (func $digest (param $at i32) (result i64)
    (local $end i32) (local $d i64)
    (local.set $end (i32.add (local.get $at) (i32.const 64)))
    (loop $next
      (local.set $d
        (i64.xor
          (i64.or (i64.shl (local.get $d) (i64.const 8)) (i64.load8_u (local.get $at)))
          (i64.load offset=2048 (i32.and (i32.wrap_i64 (i64.shr_u (local.get $d) (i64.const 42))) (i32.const 0x7f8)))))
      (br_if $next (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 1))) (local.get $end))))
    (local.get $d))

  ;; The first of the windows that begin from $at up to $end (left out) whose fingerprint has no bit of $mask; $end when none has.
  (func $one (param $at i32) (param $end i32) (param $mask i64) (result i32)
    (local $d i64)
    (if (i32.ge_u (local.get $at) (local.get $end)) (then (return (local.get $end))))
    (local.set $d (call $digest (local.get $at)))
    (loop $next
      (if (i64.eqz (i64.and (local.get $d) (local.get $mask))) (then (return (local.get $at))))
      (local.set $d
            (i64.xor
              (i64.xor
                (i64.or (i64.shl (local.get $d) (i64.const 8)) (i64.load8_u offset=64 (local.get $at)))
                (i64.load offset=2048 (i32.and (i32.wrap_i64 (i64.shr_u (local.get $d) (i64.const 42))) (i32.const 0x7f8))))
              (i64.load (i32.shl (i32.load8_u (local.get $at)) (i32.const 3)))))
      (br_if $next (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 1))) (local.get $end))))
    (local.get $end))

  ;; As $one, four stretches of 4096 windows at a time.
  (func (export "find") (param $at i32) (param $end i32) (param $mask i64) (result i32)
    (local $stop i32) (local $found i32)
    (local $d0 i64) (local $d1 i64) (local $d2 i64) (local $d3 i64)
    (block $rest
      (loop $stretches
        (br_if $rest (i32.lt_u (i32.sub (local.get $end) (local.get $at)) (i32.const 16384)))
        (local.set $stop (i32.add (local.get $at) (i32.const 4096)))
        (local.set $d0 (call $digest (local.get $at)))
        (local.set $d1 (call $digest (i32.add (local.get $at) (i32.const 4096))))
        (local.set $d2 (call $digest (i32.add (local.get $at) (i32.const 8192))))
        (local.set $d3 (call $digest (i32.add (local.get $at) (i32.const 12288))))
        (block $hit
          (loop $next
            (br_if $hit (i64.eqz (i64.and (local.get $d0) (local.get $mask))))
            (br_if $hit (i64.eqz (i64.and (local.get $d1) (local.get $mask))))
            (br_if $hit (i64.eqz (i64.and (local.get $d2) (local.get $mask))))
            (br_if $hit (i64.eqz (i64.and (local.get $d3) (local.get $mask))))
            (local.set $d0
              (i64.xor
                (i64.xor
                  (i64.or (i64.shl (local.get $d0) (i64.const 8)) (i64.load8_u offset=64 (local.get $at)))
                  (i64.load offset=2048 (i32.and (i32.wrap_i64 (i64.shr_u (local.get $d0) (i64.const 42))) (i32.const 0x7f8))))
                (i64.load (i32.shl (i32.load8_u (local.get $at)) (i32.const 3)))))
            (local.set $d1
              (i64.xor
                (i64.xor
                  (i64.or (i64.shl (local.get $d1) (i64.const 8)) (i64.load8_u offset=4160 (local.get $at)))
                  (i64.load offset=2048 (i32.and (i32.wrap_i64 (i64.shr_u (local.get $d1) (i64.const 42))) (i32.const 0x7f8))))
                (i64.load (i32.shl (i32.load8_u offset=4096 (local.get $at)) (i32.const 3)))))
            (local.set $d2
              (i64.xor
                (i64.xor
                  (i64.or (i64.shl (local.get $d2) (i64.const 8)) (i64.load8_u offset=8256 (local.get $at)))
                  (i64.load offset=2048 (i32.and (i32.wrap_i64 (i64.shr_u (local.get $d2) (i64.const 42))) (i32.const 0x7f8))))
                (i64.load (i32.shl (i32.load8_u offset=8192 (local.get $at)) (i32.const 3)))))
            (local.set $d3
              (i64.xor
                (i64.xor
                  (i64.or (i64.shl (local.get $d3) (i64.const 8)) (i64.load8_u offset=12352 (local.get $at)))
                  (i64.load offset=2048 (i32.and (i32.wrap_i64 (i64.shr_u (local.get $d3) (i64.const 42))) (i32.const 0x7f8))))
                (i64.load (i32.shl (i32.load8_u offset=12288 (local.get $at)) (i32.const 3)))))
            (br_if $next (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 1))) (local.get $stop))))
          (local.set $at (i32.add (local.get $at) (i32.const 12288)))
          (br $stretches))
        ;; A hit of one stretch is the first only when the rest of those before it has none.
        (if (i64.eqz (i64.and (local.get $d0) (local.get $mask))) (then (return (local.get $at))))
        (local.set $found (call $one (i32.add (local.get $at) (i32.const 1)) (local.get $stop) (local.get $mask)))
        (if (i32.lt_u (local.get $found) (local.get $stop)) (then (return (local.get $found))))
        (if (i64.eqz (i64.and (local.get $d1) (local.get $mask))) (then (return (i32.add (local.get $at) (i32.const 4096)))))
        (local.set $found (call $one (i32.add (local.get $at) (i32.const 4097)) (i32.add (local.get $stop) (i32.const 4096)) (local.get $mask)))
        (if (i32.lt_u (local.get $found) (i32.add (local.get $stop) (i32.const 4096))) (then (return (local.get $found))))
        (if (i64.eqz (i64.and (local.get $d2) (local.get $mask))) (then (return (i32.add (local.get $at) (i32.const 8192)))))
        (local.set $found (call $one (i32.add (local.get $at) (i32.const 8193)) (i32.add (local.get $stop) (i32.const 8192)) (local.get $mask)))
        (if (i32.lt_u (local.get $found) (i32.add (local.get $stop) (i32.const 8192))) (then (return (local.get $found))))
        (return (i32.add (local.get $at) (i32.const 12288)))))
    (call $one (local.get $at) (local.get $end) (local.get $mask))))
