import { match, strictEqual } from "node:assert/strict";
import { AppError } from "../base/mod.ts";
import { DamagedStoreError } from "../store/mod.ts";
import { partEnd } from "./part_end.ts";
import { EXIT, parseFailed } from "./ready.ts";

Deno.test("partEnd() tells what no restart mends from what one may", () => {
  strictEqual(partEnd(new AppError("BadRequest", "x")).code, EXIT.usage);
  strictEqual(partEnd(new AppError("ServiceUnavailable", "disk full")).code, EXIT.failure);
  strictEqual(partEnd(new Error("x")).code, EXIT.failure);
  const inUse = new AppError("ServiceUnavailable", "x", { state: "in-use" });
  strictEqual(partEnd(inUse).code, EXIT.inUse);
  const damaged = partEnd(new DamagedStoreError("/s/hub.db", "malformed"));
  strictEqual(damaged.code, EXIT.noState);
  match(damaged.reason, /put a copy of it back, or move \/s\/hub\.db with its -wal/);
});

Deno.test("partEnd() says what to do where the system refuses a path", async () => {
  const file = await Deno.makeTempFile();
  for (const folder of [file, `${file}/below`]) {
    const error = await Deno.mkdir(folder, { recursive: true }).catch((error) => error);
    const { code, reason } = partEnd(error);
    strictEqual(code, EXIT.noState);
    match(reason, new RegExp(`${folder}.*use a folder that this user may write`));
  }
  const failed = (text: string, code: string) => Object.assign(new Error(text), { code });
  for (const code of ["EROFS", "EACCES", "EPERM"]) {
    const refused = failed("Refused (os error 1): mkdir '/x'", code);
    strictEqual(partEnd(refused).code, EXIT.noState, code);
  }
  const full = failed("No space left on device (os error 28): open '/x'", "ENOSPC");
  strictEqual(partEnd(full).code, EXIT.failure);
  const socket = failed("Permission denied (os error 13)", "EACCES");
  strictEqual(partEnd(socket).code, EXIT.failure);
  await Deno.remove(file);
});

Deno.test("parseFailed() takes only the line that says why a part ends", () => {
  strictEqual(parseFailed('{"failed":"a \\"b\\""}'), 'a "b"');
  strictEqual(parseFailed('{"failed":'), undefined);
  strictEqual(parseFailed('{"ready":{}}'), undefined);
});
