/** The calls of the chat. Holds the visitor's token and renews it once when it is refused. */

import {
  fields,
  number,
  parseMessages,
  requestJson,
  RequestFailed,
  text,
  type Message,
} from "../protocol";
import { keep, recall } from "./storage";

export type Texts = Readonly<Record<string, string>>;

const STORED_VISITOR = "usher.visitor";
const POLL_SECONDS = 25;

export class Gateway {
  /** Called when a refused token was replaced: the new visitor has another, empty history. */
  onNewVisitor: () => void = () => {};

  #token: string | null = storedToken();
  #creating: Promise<string> | null = null;

  constructor(
    readonly origin: string,
    private readonly language: string,
  ) {}

  get hasVisitor(): boolean {
    return this.#token !== null;
  }

  /** The visitor's token; the first call makes the visitor. */
  async token(): Promise<string> {
    this.#token ??= storedToken();
    if (this.#token !== null) return this.#token;
    this.#creating ??= this.#createVisitor().finally(() => (this.#creating = null));
    return this.#creating;
  }

  /** Forgets a token that the gateway refused; the next call makes a new visitor. */
  refuse(token: string): void {
    if (this.#token !== token) return;
    this.#token = null;
    if (storedToken() === token) keep(STORED_VISITOR, null);
    this.onNewVisitor();
  }

  async texts(): Promise<Texts> {
    const body = await this.#request("GET", `/api/v1/texts/${this.language}`);
    return fields(body) as Texts;
  }

  /** Records a customer's message and returns its seq. The same id is recorded once. */
  async send(clientMessageId: string, message: string): Promise<number> {
    const body = await this.#authorised("POST", "/api/v1/messages", {
      client_message_id: clientMessageId,
      text: message,
      language: this.language,
    });
    return number(fields(body), "seq");
  }

  /** Messages behind `seq`; with `wait` the answer is held back until there is one. */
  async messagesAfter(seq: number, wait: boolean): Promise<Message[]> {
    const path = `/api/v1/messages?after=${seq}&wait=${wait ? POLL_SECONDS : 0}`;
    return parseMessages(await this.#authorised("GET", path, undefined, POLL_SECONDS + 10));
  }

  /** Says whether an answer helped; the last word counts. */
  async judge(seq: number, helpful: boolean): Promise<void> {
    await this.#authorised("POST", `/api/v1/messages/${seq}/feedback`, { helpful });
  }

  async buy(product: string): Promise<void> {
    await this.#authorised("POST", "/api/v1/demo/purchases", { product });
  }

  async #createVisitor(): Promise<string> {
    const body = await this.#request("POST", "/api/v1/visitors", { language: this.language });
    const token = text(fields(body), "token");
    this.#token = token;
    keep(STORED_VISITOR, JSON.stringify(body));
    return token;
  }

  async #authorised(
    method: string,
    path: string,
    body?: object,
    seconds?: number,
  ): Promise<unknown> {
    const token = await this.token();
    try {
      return await this.#request(method, path, body, token, seconds);
    } catch (error) {
      if (!(error instanceof RequestFailed && error.status === 401)) throw error;
      this.refuse(token);
      return this.#request(method, path, body, await this.token(), seconds);
    }
  }

  #request(
    method: string,
    path: string,
    body?: object,
    token?: string,
    seconds?: number,
  ): Promise<unknown> {
    const headers: Record<string, string> = {};
    if (body !== undefined) headers["Content-Type"] = "application/json";
    if (token !== undefined) headers["Authorization"] = `Bearer ${token}`;
    return requestJson(
      this.origin + path,
      {
        method,
        headers,
        credentials: "omit",
        cache: "no-store",
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      },
      seconds,
    );
  }
}

/** The token kept from an earlier page, if any. */
function storedToken(): string | null {
  const stored = recall(STORED_VISITOR);
  if (stored === null) return null;
  try {
    return text(fields(JSON.parse(stored)), "token");
  } catch {
    return null; // not written by us: start anew
  }
}
