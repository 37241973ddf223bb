/** The suite that serializers of bodies pass, and the package's own: what stores write that keep bytes. */

import { portable } from "../../bodies/runtime";
import { serializer } from "../../bodies/serializer";
import { buffers } from "../../node/buffers";
import type { Serializer, SerializerCase } from "../types";
import { reading } from "./reading";
import { writing } from "./writing";

export const serializerCases: readonly SerializerCase[] = [...writing, ...reading];

function ofBuffers(): Serializer {
  const { write, read } = serializer(buffers);
  return { write, read: ({ buffer, byteOffset, byteLength }) => read(Buffer.from(buffer as ArrayBuffer, byteOffset, byteLength)) };
}

/** The package's own serializer: as it is everywhere, and, where there is a Buffer, as it is in Node. */
export const serializers: readonly Serializer[] = [serializer(portable), ...(typeof Buffer === "function" ? [ofBuffers()] : [])];
