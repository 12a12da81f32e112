;; The two parts of AES in counter mode that are not AES: the blocks that count up from the IV, and the exclusive or.
(module
  ;; 0: the IV, a number of 16 bytes, highest first. 1024: the blocks. 34816: what AES made of them. 68608: the message.
  (memory (export "memory") 2)

  (func $swap (param $x i64) (result i64)
    (local.set $x
      (i64.or
        (i64.and (i64.shr_u (local.get $x) (i64.const 8)) (i64.const 0x00ff00ff00ff00ff))
        (i64.shl (i64.and (local.get $x) (i64.const 0x00ff00ff00ff00ff)) (i64.const 8))))
    (local.set $x
      (i64.or
        (i64.and (i64.shr_u (local.get $x) (i64.const 16)) (i64.const 0x0000ffff0000ffff))
        (i64.shl (i64.and (local.get $x) (i64.const 0x0000ffff0000ffff)) (i64.const 16))))
    (i64.rotl (local.get $x) (i64.const 32)))

  ;; Writes $count blocks.
  (func (export "count") (param $count i32)
    (local $at i32) (local $end i32) (local $high i64) (local $low i64)
    (local.set $high (call $swap (i64.load (i32.const 0))))
    (local.set $low (call $swap (i64.load (i32.const 8))))
    (local.set $at (i32.const 1024))
    (local.set $end (i32.add (i32.const 1024) (i32.shl (local.get $count) (i32.const 4))))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $at) (local.get $end)))
        (i64.store (local.get $at) (call $swap (local.get $high)))
        (i64.store offset=8 (local.get $at) (call $swap (local.get $low)))
        (local.set $low (i64.add (local.get $low) (i64.const 1)))
        (local.set $high (i64.add (local.get $high) (i64.extend_i32_u (i64.eqz (local.get $low)))))
        (local.set $at (i32.add (local.get $at) (i32.const 16)))
        (br $next))))

  ;; Mixes what AES made into $length bytes of the message, in whole steps of 8.
  (func (export "mix") (param $length i32)
    (local $at i32)
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $at) (local.get $length)))
        (i64.store offset=68608
          (local.get $at)
          (i64.xor (i64.load offset=68608 (local.get $at)) (i64.load offset=34816 (local.get $at))))
        (local.set $at (i32.add (local.get $at) (i32.const 8)))
        (br $next)))))
