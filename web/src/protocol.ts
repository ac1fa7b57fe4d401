/** What the gateway sends: parsed here once, so that everything behind holds typed values. */

export const AUTHORS = ["customer", "assistant", "agent", "system"] as const;
export type Author = (typeof AUTHORS)[number];

/** A ready-made answer of the customer; pressing it sends `text`. */
export interface Button {
  readonly title: string;
  readonly text: string;
}

/** The article that a reply was taken from. */
export interface Source {
  readonly language: string;
  readonly title: string;
  readonly url: string;
}

export interface Message {
  /** Place in the conversation: 1, 2, 3, … without gaps. */
  readonly seq: number;
  readonly author: Author;
  readonly text: string;
  readonly buttons: readonly Button[];
  readonly sources: readonly Source[];
  /** ISO 8601. */
  readonly createdAt: string;
  /** Only of an answer: whether the customer says that it helped; null: they said nothing. */
  readonly helpful?: boolean | null;
}

/** What arrived is not what the protocol promises. */
export class ProtocolError extends Error {}

type Fields = Record<string, unknown>;

export function fields(value: unknown): Fields {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new ProtocolError("Expected a JSON object.");
  }
  return value as Fields;
}

export function text(from: Fields, name: string): string {
  const value = from[name];
  if (typeof value !== "string") throw new ProtocolError(`Expected text in "${name}".`);
  return value;
}

export function number(from: Fields, name: string): number {
  const value = from[name];
  if (typeof value !== "number") throw new ProtocolError(`Expected a number in "${name}".`);
  return value;
}

/** A list, each item parsed; a missing or null list is empty. */
export function list<T>(from: Fields, name: string, parse: (item: Fields) => T): T[] {
  const value = from[name] ?? [];
  if (!Array.isArray(value)) throw new ProtocolError(`Expected a list in "${name}".`);
  return value.map((item) => parse(fields(item)));
}

/** One of the named values. */
export function choice<T extends string>(from: Fields, name: string, values: readonly T[]): T {
  const value = text(from, name) as T;
  if (!values.includes(value)) {
    throw new ProtocolError(`Expected one of ${values.join(", ")} in "${name}".`);
  }
  return value;
}

/** Yes, no or nothing; anything else is nothing. */
export function decision(from: Fields, name: string): boolean | null {
  const value = from[name];
  return typeof value === "boolean" ? value : null;
}

export function parseMessages(body: unknown): Message[] {
  return list(fields(body), "messages", (message) => ({
    seq: number(message, "seq"),
    author: choice(message, "author", AUTHORS),
    text: text(message, "text"),
    buttons: list(message, "buttons", (button) => ({
      title: text(button, "title"),
      text: text(button, "text"),
    })),
    sources: list(message, "sources", (source) => ({
      language: text(source, "language"),
      title: text(source, "title"),
      url: text(source, "url"),
    })),
    createdAt: text(message, "created_at"),
    ...("helpful" in message ? { helpful: decision(message, "helpful") } : {}),
  }));
}

/** The gateway answered with an error, or not at all (`status` 0). */
export class RequestFailed extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }

  /** Whether the same request may succeed later without any change to it. */
  get isTemporary(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

/**
 * Sends a request and returns the parsed JSON body.
 *
 * @throws RequestFailed when there is no answer within `seconds` or it is not a success.
 */
export async function requestJson(url: string, init: RequestInit, seconds = 10): Promise<unknown> {
  let response: Response;
  let body: unknown;
  try {
    response = await fetch(url, { ...init, signal: AbortSignal.timeout(seconds * 1000) });
    const raw = await response.text();
    body = raw === "" ? null : JSON.parse(raw);
  } catch {
    throw new RequestFailed(0, "The server could not be reached or gave no readable answer.");
  }
  if (!response.ok) throw new RequestFailed(response.status, errorMessage(body, response.status));
  return body;
}

/** The `message` of an error body, for a person. */
function errorMessage(body: unknown, status: number): string {
  try {
    return text(fields(fields(body)["error"]), "message");
  } catch {
    return `The server answered with status ${status}.`;
  }
}

/** An id that makes a repeated send harmless; `crypto.randomUUID` would need HTTPS. */
export function newMessageId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** An absolute http(s) address, or null for anything else such as `javascript:`. */
export function safeUrl(url: string, base: string): string | null {
  if (!URL.canParse(url, base)) return null;
  const parsed = new URL(url, base);
  return /^https?:$/.test(parsed.protocol) ? parsed.href : null;
}
