/** What is shown: the recorded messages in order, each once, then those still on their way. */

import type { Message } from "../protocol";

/** A message of the customer that is not recorded yet, as far as this page knows. */
export interface Pending {
  readonly id: string;
  readonly text: string;
  failed: boolean;
  /** Known from the answer to the send, possibly before the record itself arrives. */
  seq: number | null;
}

export class Timeline {
  readonly messages: Message[] = [];
  pending: Pending[] = [];

  #early = new Map<number, Message>();

  /** The last recorded message that is shown. */
  get lastSeq(): number {
    return this.messages.at(-1)?.seq ?? 0;
  }

  /** Messages have arrived that cannot be shown because an earlier one is missing. */
  get hasGap(): boolean {
    return this.#early.size > 0;
  }

  /** Takes what arrived, in any order and any number of times; returns what is new to show. */
  accept(arrived: readonly Message[]): Message[] {
    for (const message of arrived) {
      if (message.seq > this.lastSeq) this.#early.set(message.seq, message);
    }
    const shown: Message[] = [];
    let next: Message | undefined;
    while ((next = this.#early.get(this.lastSeq + 1))) shown.push(this.#show(next));
    return shown;
  }

  /** Shows what arrived behind a gap that the gateway, asked again, does not fill. */
  skipGap(): Message[] {
    const waiting = [...this.#early.values()].sort((a, b) => a.seq - b.seq);
    return waiting.map((message) => this.#show(message));
  }

  /** The gateway has recorded a pending message under this seq. */
  recorded(pending: Pending, seq: number): void {
    pending.seq = seq;
    if (seq <= this.lastSeq) this.#drop(pending);
  }

  /** Another visitor: what was recorded belongs to the one before. */
  reset(): void {
    this.messages.length = 0;
    this.#early.clear();
  }

  #show(message: Message): Message {
    this.#early.delete(message.seq);
    this.messages.push(message);
    if (message.author === "customer") {
      const own =
        this.pending.find((pending) => pending.seq === message.seq) ??
        this.pending.find((pending) => pending.seq === null && pending.text === message.text);
      if (own) this.#drop(own);
    }
    return message;
  }

  #drop(pending: Pending): void {
    this.pending = this.pending.filter((other) => other !== pending);
  }
}
