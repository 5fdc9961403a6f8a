/** What {@linkcode platformProblem} judges. */
export interface Platform {
  /** `Deno.build.os`. */
  readonly os: string;
  /** `Deno.build.arch`. */
  readonly arch: string;
  /** `Deno.version.deno`. */
  readonly deno: string;
}

/** The oldest Deno that was tried; older ones do not check client certificates as we need it. */
const OLDEST = [2, 9, 6] as const;

/** Why this machine cannot run a part, in a sentence that says what to do; `undefined` when it can. */
export function platformProblem(platform: Platform): string | undefined {
  const { os, arch, deno } = platform;
  if (os !== "linux") {
    return `Skerry runs on Linux with glibc, this is ${os}: use a Linux machine or container`;
  }
  if (arch !== "x86_64" && arch !== "aarch64") {
    return `Skerry runs on x86_64 and arm64, this is ${arch}: Deno has no build for it`;
  }
  const found = deno.split(/[.+-]/).map(Number);
  for (const [at, least] of OLDEST.entries()) {
    const part = found[at] ?? 0;
    if (part > least) return undefined;
    if (part < least) {
      return `Skerry needs Deno ${
        OLDEST.join(".")
      } or newer, this is ${deno}: run it with npx -y deno@2.9.6`;
    }
  }
  return undefined;
}
