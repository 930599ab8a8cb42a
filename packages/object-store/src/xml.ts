import { S3Error } from './errors.ts';

/** An element's content: text, or elements in order; an array repeats its element, undefined leaves it out. */
export type XmlContent = string | number | boolean | { [name: string]: XmlContent | readonly XmlContent[] | undefined };

const namespace = 'http://s3.amazonaws.com/doc/2006-03-01/';
export const xmlHeader = '<?xml version="1.0" encoding="UTF-8"?>\n';

/** A whole document with S3's namespace. */
export function xmlDocument(root: string, content: XmlContent): string {
  return `${xmlHeader}<${root} xmlns="${namespace}">${serialize(content)}</${root}>`;
}

/** One element. */
export function xmlElement(name: string, content: XmlContent): string {
  return `<${name}>${serialize(content)}</${name}>`;
}

function serialize(content: XmlContent): string {
  if (typeof content !== 'object') return escapeXml(String(content));
  let text = '';
  for (const name in content) {
    const value = content[name];
    if (value === undefined) continue;
    if (Array.isArray(value)) for (const item of value) text += `<${name}>${serialize(item as XmlContent)}</${name}>`;
    else text += `<${name}>${serialize(value as XmlContent)}</${name}>`;
  }
  return text;
}

const named: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&#34;', "'": '&#39;' };
// oxlint-disable-next-line no-control-regex -- keys may hold control characters, which XML 1.0 cannot; MinIO writes references to them too.
const special = /[&<>"'\x00-\x1f\x7f]/g;

export function escapeXml(text: string): string {
  return text.replace(special, (character) => named[character] ?? `&#x${character.charCodeAt(0).toString(16).toUpperCase()};`);
}

export interface XmlElement {
  name: string;
  children: XmlElement[];
  text: string;
}

/** Deeper than any document of S3's. */
const maxDepth = 16;

/**
 * Reads a document of S3's: elements, text, CDATA, comments and the predefined entities. Document types are refused, and with them
 * entities that grow or read files. Prefixes of names are dropped.
 * @throws S3Error `MalformedXML`
 */
export function parseXml(source: string): XmlElement {
  const top: XmlElement = { name: '', children: [], text: '' };
  const open = [top];
  const token =
    /<!\[CDATA\[([\s\S]*?)\]\]>|<!--[\s\S]*?-->|<\?[\s\S]*?\?>|<(\/?)([^\s<>/!?]+)((?:"[^"]*"|'[^']*'|[^"'<>])*?)(\/?)>|([^<]+)/gy;
  while (token.lastIndex < source.length) {
    const match = token.exec(source);
    if (!match) throw malformed();
    const [, data, closing, name, , selfClosing, text] = match;
    const current = open.at(-1)!;
    if (data !== undefined) current.text += data;
    else if (text !== undefined) current.text += unescapeXml(text);
    else if (name !== undefined) {
      const local = name.slice(name.indexOf(':') + 1);
      if (closing) {
        if (open.length === 1 || current.name !== local) throw malformed();
        open.pop();
      } else {
        const element: XmlElement = { name: local, children: [], text: '' };
        current.children.push(element);
        if (!selfClosing) open.push(element);
        if (open.length > maxDepth) throw malformed();
      }
    }
  }
  const [root, ...others] = top.children;
  if (open.length > 1 || !root || others.length > 0 || top.text.replace('\ufeff', '').trim() !== '') throw malformed();
  return root;
}

const entities: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

function unescapeXml(text: string): string {
  if (!text.includes('&')) return text;
  return text.replace(/&(?:#x([0-9a-f]{1,6})|#(\d{1,7})|(\w+));|&/gi, (_whole, hex?: string, decimal?: string, name?: string) => {
    if (name !== undefined) {
      const character = entities[name];
      if (character === undefined) throw malformed();
      return character;
    }
    const code = hex !== undefined ? Number.parseInt(hex, 16) : Number(decimal ?? Number.NaN);
    if (!(code <= 0x10ffff) || (code >= 0xd800 && code <= 0xdfff)) throw malformed();
    return String.fromCodePoint(code);
  });
}

/** The text of an element's only child of this name; undefined without one. */
export function childText(element: XmlElement, name: string): string | undefined {
  return element.children.find((child) => child.name === name)?.text;
}

function malformed(): S3Error {
  return new S3Error('MalformedXML');
}
