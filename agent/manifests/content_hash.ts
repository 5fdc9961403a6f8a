import { createHash } from "node:crypto";

/** 32 hex digits that follow from `content` alone; what JSON cannot say does not count. */
export function contentHash(content: unknown): string {
  return createHash("sha256").update(JSON.stringify(content)).digest("hex").slice(0, 32);
}
