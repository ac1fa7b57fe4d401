/** The calls of the console; the session is a cookie. */

import {
  AUTHORS,
  choice,
  decision,
  fields,
  list,
  number,
  parseMessages,
  requestJson,
  text,
  type Author,
  type Message,
} from "../protocol";

const OWNERS = ["assistant", "waiting", "agent", "closed"] as const;
export type Owner = (typeof OWNERS)[number];
export type Act = "claim" | "release" | "resolve";

/** Who has a conversation and why it was handed over. */
interface Handoff {
  readonly id: string;
  readonly owner: Owner;
  readonly language: string;
  readonly reason: string;
  /** ISO 8601, or "" when nothing was requested. */
  readonly requestedAt: string;
  /** Name of the agent, or null. */
  readonly claimedBy: string | null;
  readonly mine: boolean;
}

export interface Entry extends Handoff {
  readonly urgent: boolean;
  readonly lastText: string;
  readonly lastAuthor: Author | null;
}

/** An opinion that a customer was asked for, and that no agent has read. */
export interface Remark {
  readonly id: string;
  readonly language: string;
  readonly text: string;
  /** ISO 8601. */
  readonly madeAt: string;
}

/** An article that the assistant considered. */
export interface Candidate {
  readonly article: string;
  readonly title: string;
  /** 0–1. */
  readonly probability: number;
  readonly url: string;
  /** Null when the article is gone. */
  readonly shortAnswer: string | null;
  /** Whether this agent says that it answers the question; null: they said nothing. */
  readonly right: boolean | null;
}

/** The customer's message that the candidates are for. */
export interface Question {
  readonly text: string;
  /** This agent says that no article answers it. */
  readonly noArticle: boolean;
}

export interface Purchase {
  readonly product: string;
  readonly orderId: string;
  readonly purchasedAt: string;
}

const UNDELIVERED = ["failed", "unknown"] as const;
export type Undelivered = (typeof UNDELIVERED)[number];

export interface Line extends Message {
  /** Id of the assistant's turn that it was taken in or came from; null: none. */
  readonly turn: string | null;
  /** What went wrong on the way to the customer; null: nothing that is known. */
  readonly undelivered: Undelivered | null;
}

export interface Conversation extends Handoff {
  readonly question: Question | null;
  readonly candidates: readonly Candidate[];
  readonly purchases: readonly Purchase[];
  readonly messages: readonly Line[];
}

/** Something with a probability of 0–1. */
export interface Likely {
  readonly name: string;
  readonly probability: number;
}

/** What the dialogue made of a message. */
export interface Understood {
  readonly intent: string;
  readonly confidence: number | null;
  /** "" when no rule, or more than one, says what was done. */
  readonly rule: string;
  readonly actions: readonly string[];
}

/** What the knowledge base had to say. */
export interface Matched {
  readonly outcome: string;
  readonly confidence: number | null;
  readonly question: string;
  readonly candidates: readonly (Likely & { readonly url: string })[];
}

/** Why the assistant answered as it did. */
export interface Explanation {
  readonly state: string;
  readonly tries: number;
  readonly problem: string;
  readonly understood: Understood | null;
  readonly matched: Matched | null;
  /** Milliseconds of each part. */
  readonly timings: readonly (readonly [string, number])[];
}

type Fields = ReturnType<typeof fields>;

/** Ids may be numbers or text; here they are only names. */
function name(from: Fields, key: string): string {
  const value = from[key];
  return typeof value === "string" || typeof value === "number" ? String(value) : "";
}

function handoff(from: Fields): Handoff {
  return {
    id: name(from, "id"),
    owner: choice(from, "owner", OWNERS),
    language: name(from, "language"),
    reason: name(from, "reason"),
    requestedAt: name(from, "requested_at"),
    claimedBy: name(from, "claimed_by") || null,
    mine: from["mine"] === true,
  };
}

function question(asked: unknown): Question | null {
  if (asked === null) return null;
  const about = fields(asked);
  return { text: text(about, "text"), noArticle: about["no_article"] === true };
}

async function call(method: "GET" | "POST", path: string, body?: object): Promise<unknown> {
  const headers: Record<string, string> = {};
  if (method === "POST") headers["X-Usher-Console"] = "1";
  if (body !== undefined) headers["Content-Type"] = "application/json";
  return requestJson(`/console/api/${path}`, {
    method,
    headers,
    credentials: "same-origin",
    cache: "no-store",
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
}

const at = (id: string): string => `conversations/${encodeURIComponent(id)}`;

/** The agent's name. */
export async function signIn(email: string, password: string): Promise<string> {
  return text(fields(await call("POST", "sign-in", { email, password })), "name");
}

export async function signOut(): Promise<void> {
  await call("POST", "sign-out");
}

/** The agent's name; fails with status 401 when nobody is signed in. */
export async function whoAmI(): Promise<string> {
  return text(fields(await call("GET", "me")), "name");
}

export async function entries(): Promise<Entry[]> {
  return list(fields(await call("GET", "conversations")), "conversations", (entry) => ({
    ...handoff(entry),
    urgent: entry["urgent"] === true,
    lastText: name(entry, "last_text"),
    lastAuthor: AUTHORS.find((author) => author === entry["last_author"]) ?? null,
  }));
}

export async function remarks(): Promise<Remark[]> {
  return list(fields(await call("GET", "remarks")), "remarks", (remark) => ({
    id: name(remark, "id"),
    language: name(remark, "language"),
    text: text(remark, "text"),
    madeAt: name(remark, "made_at"),
  }));
}

export async function markRead(remark: string): Promise<void> {
  await call("POST", `remarks/${encodeURIComponent(remark)}/read`);
}

export async function conversation(id: string): Promise<Conversation> {
  const body = fields(await call("GET", at(id)));
  return {
    ...handoff(body),
    question: question(body["question"]),
    candidates: list(body, "candidates", (candidate) => ({
      article: text(candidate, "article"),
      title: text(candidate, "title"),
      probability: number(candidate, "probability"),
      url: name(candidate, "url"),
      shortAnswer: name(candidate, "short_answer") || null,
      right: decision(candidate, "right"),
    })),
    purchases: list(body, "purchases", (purchase) => ({
      product: text(purchase, "product"),
      orderId: name(purchase, "order_id"),
      purchasedAt: name(purchase, "purchased_at"),
    })),
    messages: lines(body),
  };
}

function lines(body: Fields): Line[] {
  const more = list(body, "messages", (message) => ({
    turn: name(message, "turn") || null,
    undelivered: UNDELIVERED.find((state) => state === message["undelivered"]) ?? null,
  }));
  const nothing = { turn: null, undelivered: null };
  return parseMessages(body).map((message, index) => ({ ...message, ...(more[index] ?? nothing) }));
}

/** Why the assistant answered as it did in a turn; what is not known is missing. */
export async function explanation(id: string, turn: string): Promise<Explanation> {
  const body = fields(await call("GET", `${at(id)}/turns/${encodeURIComponent(turn)}`));
  const { dialogue, match, timings } = body;
  return {
    state: text(body, "state"),
    tries: number(body, "tries"),
    problem: name(body, "problem"),
    understood: dialogue === null ? null : understood(fields(dialogue)),
    matched: match === null ? null : matched(fields(match)),
    timings: Object.entries(fields(timings)).filter(
      (part): part is [string, number] => typeof part[1] === "number",
    ),
  };
}

function understood(from: Fields): Understood {
  return {
    intent: name(from, "intent"),
    confidence: share(from, "confidence"),
    rule: name(from, "rule"),
    actions: list(from, "actions", (each) => name(each, "name")),
  };
}

function matched(from: Fields): Matched {
  return {
    outcome: name(from, "outcome"),
    confidence: share(from, "confidence"),
    question: name(from, "question"),
    candidates: list(from, "candidates", (each) => ({
      name: name(each, "title"),
      probability: number(each, "probability"),
      url: name(each, "url"),
    })),
  };
}

function share(from: Fields, key: string): number | null {
  const value = from[key];
  return typeof value === "number" ? value : null;
}

export async function act(id: string, what: Act): Promise<void> {
  await call("POST", `${at(id)}/${what}`);
}

/** Sends an agent's message; the same client message id is recorded once. */
export async function reply(
  id: string,
  clientMessageId: string,
  words: string,
  article: string | null,
): Promise<void> {
  const body = { client_message_id: clientMessageId, text: words, article };
  await call("POST", `${at(id)}/reply`, body);
}

/** Says whether an article (null: no article) answers the question; null takes it back. */
export async function judge(
  id: string,
  article: string | null,
  right: boolean | null,
): Promise<void> {
  await call("POST", `${at(id)}/judgement`, { article, right });
}
