import { AppError } from "../base/mod.ts";

/** The two machines that a libwasmtime exists for, in Deno's words. */
export type LibraryArch = "x86_64" | "aarch64";

/** One pinned build of libwasmtime: a PyPI wheel and the library inside it. */
export interface LibraryPin {
  /** Version of the PyPI package `wasmtime`. The engine inside may be one patch older. */
  readonly version: string;
  readonly arch: LibraryArch;
  /** pip's `--platform`. */
  readonly platform: string;
  /** SHA-256 of the wheel, hex. */
  readonly wheelSha256: string;
  /** Path of the library inside the wheel. */
  readonly member: string;
  /** SHA-256 of the library, hex. */
  readonly librarySha256: string;
  /** Size of the library in bytes; the cap for unpacking. */
  readonly librarySize: number;
}

/** The pinned libraries. `facts: a wheel never gets LTS patches; releases use tools/libwasmtime/crate`. */
export const LIBRARY_PINS: Readonly<Record<LibraryArch, LibraryPin>> = {
  x86_64: {
    version: "50.0.1",
    arch: "x86_64",
    platform: "manylinux1_x86_64",
    wheelSha256: "cc14c3a17654e0394e0225b11813532ef0cd7bd1e222a0c5494cdedaabeddac4",
    member: "wasmtime/linux-x86_64/_libwasmtime.so",
    librarySha256: "3127ca42fe7cdd3f0a43a358e79177dcfedd46c1746329826403b9d854de6178",
    librarySize: 29_673_400,
  },
  aarch64: {
    version: "50.0.1",
    arch: "aarch64",
    platform: "manylinux2014_aarch64",
    wheelSha256: "675484e525c028dc02762b777f1db4477ea70caa3fec6775426daff4d64edfb1",
    member: "wasmtime/linux-aarch64/_libwasmtime.so",
    librarySha256: "4777b787fcc6651c98130ccc7c8ce9160faba5f3b34918886785a43094026fc9",
    librarySize: 25_966_376,
  },
};

/** What decides where the library lies. */
export interface LibraryLocation {
  /** `Deno.build.os`. */
  readonly os: string;
  /** `Deno.build.arch`. */
  readonly arch: string;
  /** Reads an environment variable. */
  readonly env: (name: string) => string | undefined;
}

/**
 * The pin for a machine.
 *
 * @throws {AppError} Unsupported when no libwasmtime exists for it
 */
export function libraryPinFor(where: Pick<LibraryLocation, "os" | "arch">): LibraryPin {
  const pin = where.os === "linux" && Object.hasOwn(LIBRARY_PINS, where.arch)
    ? LIBRARY_PINS[where.arch as LibraryArch]
    : undefined;
  if (pin) return pin;
  throw new AppError(
    "Unsupported",
    `functions need Linux on x86_64 or aarch64 with glibc, this is ${where.os} on ${where.arch}: ` +
      `run the agent without the runner here, or name a library with SKERRY_LIBWASMTIME`,
  );
}

/**
 * Where libwasmtime lies: `SKERRY_LIBWASMTIME` when set, else the pinned library in the user's
 * cache folder (`$XDG_CACHE_HOME` or `~/.cache`) below `skerry/libwasmtime/<version>-<arch>/`.
 *
 * @throws {AppError} Unsupported on a machine without a pinned library
 */
export function libraryPath(where: LibraryLocation): string {
  const named = where.env("SKERRY_LIBWASMTIME");
  if (named) return named;
  const pin = libraryPinFor(where);
  const cache = where.env("XDG_CACHE_HOME") || `${where.env("HOME") ?? "/var/cache"}/.cache`;
  return `${cache}/skerry/libwasmtime/${pin.version}-${pin.arch}/libwasmtime.so`;
}
