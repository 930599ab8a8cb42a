/** A text as a header can carry it: the bytes of its UTF-8 as Node takes them, and spaces for what would end the header, as with MinIO. */
export function headerText(text: string): string {
  return Buffer.from(text.replace(/[^\P{Cc}\t]/gu, ' ')).toString('latin1');
}
