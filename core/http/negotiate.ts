/** The forms in which an object or a list can be answered. */
export type Form = "object" | "table" | "metadata";

/** One media range of an `Accept` header. */
export interface MediaRange {
  readonly type: string;
  readonly parameters: Readonly<Record<string, string>>;
}

/** Reads an `Accept` header in its own order; `q` is ignored, as in kube-apiserver's content negotiation. */
export function parseAccept(accept: string | null): MediaRange[] {
  return (accept ?? "").split(",").slice(0, 32).map((range) => {
    const [type = "", ...rest] = range.split(";").map((part) => part.trim());
    const parameters: Record<string, string> = Object.create(null);
    for (const part of rest) {
      const at = part.indexOf("=");
      if (at > 0) parameters[part.slice(0, at).toLowerCase()] = part.slice(at + 1);
    }
    return { type: type.toLowerCase(), parameters };
  });
}

/**
 * The form that a client wants: the first range of JSON that is served. A client that names
 * nothing served gets plain JSON, which every Kubernetes client reads.
 */
export function formOf(accept: string | null): Form {
  for (const { type, parameters } of parseAccept(accept)) {
    if (type !== "application/json" && type !== "*/*" && type !== "application/*") continue;
    const { as, g, v } = parameters;
    if (as === undefined) return "object";
    if (g !== "meta.k8s.io" || v !== "v1") continue;
    if (as === "Table") return "table";
    if (as === "PartialObjectMetadata" || as === "PartialObjectMetadataList") return "metadata";
  }
  return "object";
}
