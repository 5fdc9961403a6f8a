/** The text of a file, or `undefined` when there is none. */
export function readFile(path: string): string | undefined {
  try {
    return Deno.readTextFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** Writes a private file (0600 in a 0700 folder) so that a power cut leaves the old or the new one. */
export function writeFile(folder: string, name: string, text: string): void {
  Deno.mkdirSync(folder, { recursive: true, mode: 0o700 });
  const temporary = `${folder}/.${name}.tmp`;
  {
    using file = Deno.openSync(temporary, {
      write: true,
      create: true,
      truncate: true,
      mode: 0o600,
    });
    const bytes = new TextEncoder().encode(text);
    for (let at = 0; at < bytes.length;) at += file.writeSync(bytes.subarray(at));
    file.syncSync();
  }
  Deno.renameSync(temporary, `${folder}/${name}`);
  using directory = Deno.openSync(folder, { read: true });
  directory.syncSync();
}
