import { type Clock, errorText } from "../../core/base/mod.ts";
import { addLog, type CallState, GuestFault, type GuestMemory, type HostFunction } from "./host.ts";

const MODULE = "wasi_snapshot_preview1";
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** WASI's `errno` values that are used here. */
const SUCCESS = 0, BADF = 8, FAULT = 21, INVAL = 28, NOSPC = 51, NOSYS = 52, SPIPE = 70;

/** The signatures of all WASI preview 1 functions; those without an implementation answer NOSYS. */
const SIGNATURES: Readonly<Record<string, string>> = {
  args_get: "(i32,i32)->i32",
  args_sizes_get: "(i32,i32)->i32",
  clock_res_get: "(i32,i32)->i32",
  clock_time_get: "(i32,i64,i32)->i32",
  environ_get: "(i32,i32)->i32",
  environ_sizes_get: "(i32,i32)->i32",
  fd_advise: "(i32,i64,i64,i32)->i32",
  fd_allocate: "(i32,i64,i64)->i32",
  fd_close: "(i32)->i32",
  fd_datasync: "(i32)->i32",
  fd_fdstat_get: "(i32,i32)->i32",
  fd_fdstat_set_flags: "(i32,i32)->i32",
  fd_fdstat_set_rights: "(i32,i64,i64)->i32",
  fd_filestat_get: "(i32,i32)->i32",
  fd_filestat_set_size: "(i32,i64)->i32",
  fd_filestat_set_times: "(i32,i64,i64,i32)->i32",
  fd_pread: "(i32,i32,i32,i64,i32)->i32",
  fd_prestat_dir_name: "(i32,i32,i32)->i32",
  fd_prestat_get: "(i32,i32)->i32",
  fd_pwrite: "(i32,i32,i32,i64,i32)->i32",
  fd_read: "(i32,i32,i32,i32)->i32",
  fd_readdir: "(i32,i32,i32,i64,i32)->i32",
  fd_renumber: "(i32,i32)->i32",
  fd_seek: "(i32,i64,i32,i32)->i32",
  fd_sync: "(i32)->i32",
  fd_tell: "(i32,i32)->i32",
  fd_write: "(i32,i32,i32,i32)->i32",
  path_create_directory: "(i32,i32,i32)->i32",
  path_filestat_get: "(i32,i32,i32,i32,i32)->i32",
  path_filestat_set_times: "(i32,i32,i32,i32,i64,i64,i32)->i32",
  path_link: "(i32,i32,i32,i32,i32,i32,i32)->i32",
  path_open: "(i32,i32,i32,i32,i32,i64,i64,i32,i32)->i32",
  path_readlink: "(i32,i32,i32,i32,i32,i32)->i32",
  path_remove_directory: "(i32,i32,i32)->i32",
  path_rename: "(i32,i32,i32,i32,i32,i32)->i32",
  path_symlink: "(i32,i32,i32,i32,i32)->i32",
  path_unlink_file: "(i32,i32,i32)->i32",
  poll_oneoff: "(i32,i32,i32,i32)->i32",
  proc_exit: "(i32)->",
  proc_raise: "(i32)->i32",
  random_get: "(i32,i32)->i32",
  sched_yield: "()->i32",
  sock_accept: "(i32,i32,i32)->i32",
  sock_recv: "(i32,i32,i32,i32,i32,i32)->i32",
  sock_send: "(i32,i32,i32,i32,i32)->i32",
  sock_shutdown: "(i32,i32)->i32",
};

type Run = HostFunction["run"];

/**
 * WASI preview 1 for commands, written here instead of linked from the library: arguments,
 * environment, the three standard streams, clocks and random numbers. There are no files, sockets
 * or sleeps: such calls answer BADF or NOSYS. So nothing of the library's own WASI, with its files
 * and its threads, is reachable for a guest.
 */
export function wasiHost(clock: Clock): HostFunction[] {
  const own = { ...processFunctions(clock), ...streamFunctions() };
  return Object.entries(SIGNATURES).map(([name, signature]) => {
    const run = own[name];
    return {
      module: MODULE,
      name,
      signature,
      run: run ? guarded(run, signature) : () => name.startsWith("fd_") ? BADF : NOSYS,
    };
  });
}

/** A bad pointer is an errno in WASI, not a trap. */
function guarded(run: Run, signature: string): Run {
  if (!signature.endsWith("i32")) return run;
  return (call, args, memory) => {
    try {
      return run(call, args, memory);
    } catch (error) {
      if (error instanceof GuestFault) return FAULT;
      throw new GuestFault(`the host failed: ${errorText(error)}`);
    }
  };
}

function processFunctions(clock: Clock): Record<string, Run> {
  const environ = (call: CallState): string[] =>
    Object.entries(call.env).map(([name, value]) => `${name}=${value}`);
  return {
    args_get: (call, args, memory) => putStrings(memory, args.u32(0), args.u32(1), call.args),
    args_sizes_get: (call, args, memory) => putSizes(memory, args.u32(0), args.u32(1), call.args),
    environ_get: (call, args, memory) =>
      putStrings(memory, args.u32(0), args.u32(1), environ(call)),
    environ_sizes_get: (call, args, memory) =>
      putSizes(memory, args.u32(0), args.u32(1), environ(call)),
    clock_res_get: (_call, args, memory) => put(memory, args.u32(1), u64(1_000_000n)),
    clock_time_get(_call, args, memory) {
      const id = args.u32(0);
      if (id > 3) return INVAL;
      const at = id === 0 ? clock.now() : clock.monotonic();
      return put(memory, args.u32(2), u64(BigInt(Math.trunc(at * 1e6))));
    },
    random_get(_call, args, memory) {
      let [ptr, left] = [args.u32(0), args.u32(1)];
      for (; left > 0; left -= Math.min(left, 65536)) {
        const bytes = crypto.getRandomValues(new Uint8Array(Math.min(left, 65536)));
        memory.write(ptr, bytes);
        ptr += bytes.length;
      }
      return SUCCESS;
    },
    sched_yield: () => SUCCESS,
    proc_exit(call, args) {
      call.exitCode = args.u32(0);
      throw new GuestFault(`exit ${call.exitCode}`);
    },
  };
}

function streamFunctions(): Record<string, Run> {
  return {
    fd_write(call, args, memory) {
      const fd = args.u32(0);
      if (fd !== 1 && fd !== 2) return BADF;
      let written = 0;
      for (const [ptr, size] of vectors(memory, args.u32(1), args.u32(2))) {
        if (fd === 1 && call.stdoutSize + size > call.outputBytes) {
          call.overflow = true;
          return NOSPC;
        }
        if (fd === 1) {
          call.stdout.push(memory.read(ptr, size));
          call.stdoutSize += size;
        } else {
          addLog(call, 1, decoder.decode(memory.read(ptr, Math.min(size, 4096))).trimEnd());
        }
        written += size;
      }
      return put(memory, args.u32(3), u32(written));
    },
    fd_read(call, args, memory) {
      if (args.u32(0) !== 0) return BADF;
      let read = 0;
      for (const [ptr, size] of vectors(memory, args.u32(1), args.u32(2))) {
        const chunk = call.stdin.slice(call.stdinAt, call.stdinAt + size);
        memory.write(ptr, chunk);
        call.stdinAt += chunk.length;
        read += chunk.length;
      }
      return put(memory, args.u32(3), u32(read));
    },
    fd_fdstat_get(_call, args, memory) {
      const fd = args.u32(0);
      if (fd > 2) return BADF;
      // File type 6 (a stream socket, so that no C library takes it for a terminal), rights 2 read, 64 write.
      const stat = new DataView(new ArrayBuffer(24));
      stat.setUint8(0, 6);
      stat.setBigUint64(8, fd === 0 ? 2n : 64n, true);
      return put(memory, args.u32(1), new Uint8Array(stat.buffer));
    },
    fd_close: (_call, args) => args.u32(0) > 2 ? BADF : SUCCESS,
    fd_seek: (_call, args) => args.u32(0) > 2 ? BADF : SPIPE,
    fd_tell: (_call, args) => args.u32(0) > 2 ? BADF : SPIPE,
    fd_fdstat_set_flags: (_call, args) => args.u32(0) > 2 ? BADF : SUCCESS,
  };
}

/** Most vectors of one read or write: as on Linux. */
const MAX_VECTORS = 1024;

function vectors(memory: GuestMemory, ptr: number, count: number): [number, number][] {
  if (count > MAX_VECTORS) throw new GuestFault("too many vectors");
  const table = new DataView(memory.read(ptr, count * 8).buffer);
  return Array.from(
    { length: count },
    (_, i) => [table.getUint32(i * 8, true), table.getUint32(i * 8 + 4, true)],
  );
}

function put(memory: GuestMemory, ptr: number, data: Uint8Array<ArrayBuffer>): number {
  memory.write(ptr, data);
  return SUCCESS;
}

function u32(value: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(new Uint32Array([value]).buffer);
}

function u64(value: bigint): Uint8Array<ArrayBuffer> {
  return new Uint8Array(new BigUint64Array([value]).buffer);
}

function putSizes(
  memory: GuestMemory,
  countAt: number,
  sizeAt: number,
  texts: readonly string[],
): number {
  const size = texts.reduce((sum, text) => sum + encoder.encode(text).length + 1, 0);
  memory.write(countAt, u32(texts.length));
  return put(memory, sizeAt, u32(size));
}

function putStrings(
  memory: GuestMemory,
  tableAt: number,
  textAt: number,
  texts: readonly string[],
): number {
  let at = textAt;
  for (const [index, text] of texts.entries()) {
    const bytes = encoder.encode(`${text}\0`);
    memory.write(tableAt + index * 4, u32(at));
    memory.write(at, bytes);
    at += bytes.length;
  }
  return SUCCESS;
}
