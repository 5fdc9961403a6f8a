import type { Overriders } from "../../core/api/mod.ts";

/** An `imageOverriders` entry. */
export type ImageOverrider = NonNullable<Overriders["imageOverriders"]>[number];

/** The parts of an image's name, `[registry/]repository[:tag][@digest]`. */
interface ImageName {
  readonly registry: string;
  readonly repository: string;
  readonly tag: string;
  readonly digest: string;
}

const DIGEST = /^[A-Za-z][\w+.-]*:[0-9a-fA-F]{32,}$/;
const TAG = /^\w[\w.-]{0,127}$/;

/** Changes one part of an image's name. @throws {RangeError} when no name comes out of it */
export function overrideImage(image: string, rule: ImageOverrider): string {
  const name = parse(image);
  const value = rule.operator === "remove" ? "" : rule.value ?? "";
  const add = rule.operator === "add";
  switch (rule.component) {
    case "Registry":
      return format({ ...name, registry: (add ? name.registry : "") + value }, image);
    case "Repository":
      return format({ ...name, repository: (add ? name.repository : "") + value }, image);
    case "Tag":
      return format(withTag(name, add ? (name.tag || name.digest) + value : value), image);
  }
}

/** The tag goes before the digest: `remove` takes one of them, what is put in replaces both. */
function withTag(name: ImageName, text: string): ImageName {
  const digest = text.replace(/^@/, "");
  if (DIGEST.test(digest)) return { ...name, tag: "", digest };
  const tag = text.replace(/^:/, "");
  if (tag === "") return name.tag === "" ? { ...name, digest: "" } : { ...name, tag: "" };
  if (!TAG.test(tag)) throw new RangeError(`"${text}" is neither a tag nor a digest`);
  return { ...name, tag, digest: "" };
}

function parse(image: string): ImageName {
  const [whole = "", digest = ""] = image.split("@");
  const slash = whole.indexOf("/");
  const first = slash < 0 ? "" : whole.slice(0, slash);
  // Docker's rule: what has neither "." nor ":" is a part of the repository.
  const registry = /[.:]/.test(first) || first === "localhost" ? first : "";
  const rest = registry === "" ? whole : whole.slice(slash + 1);
  const colon = rest.lastIndexOf(":");
  const [repository, tag] = colon < 0 ? [rest, ""] : [rest.slice(0, colon), rest.slice(colon + 1)];
  return { registry, repository, tag, digest };
}

function format({ registry, repository, tag, digest }: ImageName, before: string): string {
  const path = repository.replace(/^\/+/, "");
  if (path === "") throw new RangeError(`nothing is left of the image ${before}`);
  const lead = registry === "" ? "" : `${registry.replace(/\/+$/, "")}/`;
  return `${lead}${path}${tag === "" ? "" : `:${tag}`}${digest === "" ? "" : `@${digest}`}`;
}
