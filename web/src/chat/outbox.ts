/** Sends the customer's messages one after the other, each until it is recorded or given up. */

import { backoff, pauseUntilOnline } from "../pause";
import { newMessageId, RequestFailed } from "../protocol";
import type { Gateway } from "./gateway";
import type { Pending, Timeline } from "./timeline";

const TRIES = 5;

export class Outbox {
  #queue: Promise<void> = Promise.resolve();

  constructor(
    private readonly gateway: Gateway,
    private readonly timeline: Timeline,
    private readonly changed: () => void,
  ) {}

  send(text: string): void {
    const pending: Pending = { id: newMessageId(), text, failed: false, seq: null };
    this.timeline.pending.push(pending);
    this.#enqueue(pending);
  }

  retry(pending: Pending): void {
    pending.failed = false;
    this.#enqueue(pending);
  }

  #enqueue(pending: Pending): void {
    this.#queue = this.#queue.then(() => this.#deliver(pending));
    this.changed();
  }

  /** The id stays the same over all tries, so that the gateway records the message once. */
  async #deliver(pending: Pending): Promise<void> {
    for (let tries = 1; ; tries++) {
      try {
        this.timeline.recorded(pending, await this.gateway.send(pending.id, pending.text));
        break;
      } catch (error) {
        const mayPass = !(error instanceof RequestFailed) || error.isTemporary;
        if (!mayPass || tries === TRIES) {
          pending.failed = true;
          break;
        }
      }
      await pauseUntilOnline(backoff(tries));
    }
    this.changed();
  }
}
