// The real work on one file: its SHA-256 and, where it is a picture this browser can read, a thumbnail.

const EDGE = 320; // px, the longer side

/** Resolves with `{ hash, thumb, width, height }`; `thumb` is undefined for what is not a picture. */
export async function develop(file) {
  const [hash, picture] = await Promise.all([hashOf(file), thumbnailOf(file)]);
  return { hash, ...picture };
}

/** SHA-256 in hex of a Blob or of bytes. */
export async function hashOf(source) {
  const bytes = source instanceof Blob ? await source.arrayBuffer() : source;
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function thumbnailOf(file) {
  if (!file.type.startsWith("image/") || typeof OffscreenCanvas === "undefined") return {};
  let bitmap;
  try {
    bitmap = await createImageBitmap(file);
  } catch {
    return {}; // it says it is a picture but cannot be read as one here: shown as a plain file
  }
  const { width, height } = bitmap;
  const scale = Math.min(1, EDGE / Math.max(width, height));
  const canvas = new OffscreenCanvas(Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale)));
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  const thumb = await canvas.convertToBlob({ type: "image/webp", quality: 0.82 });
  return { thumb, width, height };
}
