;; A WASI preview 1 command: answers with its standard input in upper case, as a CGI program would.
;; Any language that builds for WASI preview 1 can do the same with its own standard library.
(module
  (import "wasi_snapshot_preview1" "fd_read"
    (func $fd_read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write"
    (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)

  ;; The header block: optional; it ends with an empty line.
  (data (i32.const 1024) "Content-Type: text/plain; charset=utf-8\0aX-Example: wasi-command\0a\0a")

  ;; Address 0 holds one vector (address, size), address 8 the count that a call gives back.
  (func $write (param $from i32) (param $size i32)
    (i32.store (i32.const 0) (local.get $from))
    (i32.store (i32.const 4) (local.get $size))
    (if (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))
      (then (call $proc_exit (i32.const 1)))))

  (func $upper (param $from i32) (param $size i32)
    (local $at i32) (local $end i32) (local $char i32)
    (local.set $at (local.get $from))
    (local.set $end (i32.add (local.get $from) (local.get $size)))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $at) (local.get $end)))
        (local.set $char (i32.load8_u (local.get $at)))
        ;; 97 to 122 are a to z.
        (if (i32.lt_u (i32.sub (local.get $char) (i32.const 97)) (i32.const 26))
          (then (i32.store8 (local.get $at) (i32.sub (local.get $char) (i32.const 32)))))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br $next))))

  (func (export "_start")
    (call $write (i32.const 1024) (i32.const 65))
    (block $done
      (loop $next
        (i32.store (i32.const 0) (i32.const 4096))
        (i32.store (i32.const 4) (i32.const 8192))
        (if (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8))
          (then (call $proc_exit (i32.const 1))))
        (br_if $done (i32.eqz (i32.load (i32.const 8))))
        (call $upper (i32.const 4096) (i32.load (i32.const 8)))
        (call $write (i32.const 4096) (i32.load (i32.const 8)))
        (br $next)))))
