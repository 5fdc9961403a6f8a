import type {
  DescMessage,
  DescMethodUnary,
  MessageInitShape,
  MessageShape,
} from "@bufbuild/protobuf";
import { minutes, type Ms, seconds } from "../../../core/base/mod.ts";
import type { GrpcChannel } from "./grpc/channel.ts";

/** For calls that make or end something; the kubelet's `runtimeRequestTimeout`. */
export const WORK_TIMEOUT: Ms = minutes(2);
/** For calls that only read. */
export const READ_TIMEOUT: Ms = seconds(10);

/** A unary call with a deadline; shortens what the runtime's methods say over and over. */
export type Call = <I extends DescMessage, O extends DescMessage>(
  method: DescMethodUnary<I, O>,
  request: MessageInitShape<I>,
  signal: AbortSignal,
  timeout?: Ms,
) => Promise<MessageShape<O>>;

/** A {@linkcode Call} on `channel` whose deadline is {@linkcode READ_TIMEOUT} unless given. */
export function callsOn(channel: GrpcChannel): Call {
  return (method, request, signal, timeout = READ_TIMEOUT) =>
    channel.unary(method, request, { signal, timeout });
}
