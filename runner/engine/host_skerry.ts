import type { Clock } from "../../core/base/mod.ts";
import { addLog, type HostFunction } from "./host.ts";

const decoder = new TextDecoder();
const encoder = new TextEncoder();

/** Longest log line and longest variable name that a guest may pass, in bytes. */
const MAX_TEXT = 4096;

/**
 * The host functions of `skerry-core-v1`, as docs/guest-abi.md writes them. There are no others:
 * a module that imports anything else is refused before it is compiled.
 */
export function skerryHost(clock: Clock): HostFunction[] {
  return [
    {
      module: "skerry",
      name: "log",
      signature: "(i32,i32,i32)->",
      run(call, args, memory) {
        const text = memory.read(args.u32(1), Math.min(args.u32(2), MAX_TEXT));
        addLog(call, args.u32(0), decoder.decode(text));
      },
    },
    {
      module: "skerry",
      name: "now",
      signature: "()->i64",
      run: () => BigInt(Math.trunc(clock.now())),
    },
    {
      module: "skerry",
      name: "env",
      signature: "(i32,i32,i32,i32)->i32",
      run(call, args, memory) {
        const name = decoder.decode(memory.read(args.u32(0), Math.min(args.u32(1), MAX_TEXT)));
        const value = Object.hasOwn(call.env, name) ? call.env[name] : undefined;
        if (value === undefined) return -1;
        const bytes = encoder.encode(value);
        memory.write(args.u32(2), bytes.slice(0, args.u32(3)));
        return bytes.length;
      },
    },
  ];
}
