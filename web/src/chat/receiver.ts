/** Keeps messages coming: a websocket, or long polling where websockets do not get through. */

import { backoff, pauseUntilOnline } from "../pause";
import { fields, parseMessages, text, type Message } from "../protocol";
import type { Gateway } from "./gateway";

/** Milliseconds without a frame (the gateway pings every 20 s) after which a line is dead. */
const SILENCE = 45_000;
const OPENING = 10_000;
const SOCKET_FAILURES_BEFORE_POLLING = 3;
/** Milliseconds of polling after which a websocket is tried again. */
const POLLING_SPELL = 120_000;

interface Listener {
  /** The last message that is shown. */
  lastSeq(): number;
  messages(messages: readonly Message[]): void;
  connected(isConnected: boolean): void;
}

export class Receiver {
  #socketFailures = 0;
  #lastSocket = 0;
  #caughtUp = false;
  #hangUp: () => void = () => {};

  #isStarted = false;

  constructor(
    private readonly gateway: Gateway,
    private readonly listener: Listener,
  ) {}

  get isStarted(): boolean {
    return this.#isStarted;
  }

  start(): void {
    if (this.#isStarted) return;
    this.#isStarted = true;
    addEventListener("offline", () => this.#hangUp());
    addEventListener("online", () => (this.#socketFailures = 0));
    void this.#run();
  }

  /** Ends the present line; a new one is made with the present visitor. */
  restart(): void {
    this.#hangUp();
  }

  /** Tells the gateway up to where messages have arrived; polling says so by itself. */
  acknowledge: (seq: number) => void = () => {};

  async #run(): Promise<never> {
    for (let failures = 0; ; ) {
      const polling = this.#socketFailures >= SOCKET_FAILURES_BEFORE_POLLING;
      const worked = await (polling ? this.#poll() : this.#listen());
      failures = worked ? 0 : failures + 1;
      if (polling && worked) continue;
      this.listener.connected(false);
      await pauseUntilOnline(navigator.onLine ? backoff(failures) : 30_000);
    }
  }

  /** One websocket from opening to its end; true when it carried anything. */
  async #listen(): Promise<boolean> {
    let token: string;
    try {
      token = await this.gateway.token();
    } catch {
      return false;
    }
    const worked = await this.#socket(token);
    this.#socketFailures = worked ? 0 : this.#socketFailures + 1;
    this.#lastSocket = Date.now();
    this.#caughtUp = false;
    return worked;
  }

  #socket(token: string): Promise<boolean> {
    return new Promise((resolve) => {
      const socket = new WebSocket(this.gateway.origin.replace(/^http/, "ws") + "/api/v1/chat");
      const send = (frame: object): void => socket.send(JSON.stringify(frame));
      let worked = false;
      let timer = setTimeout(() => end(), OPENING);
      const stillAlive = (): void => {
        clearTimeout(timer);
        timer = setTimeout(end, SILENCE);
      };
      const end = (): void => {
        clearTimeout(timer);
        socket.onopen = socket.onmessage = socket.onclose = null;
        socket.close();
        this.#hangUp = () => {};
        this.acknowledge = () => {};
        resolve(worked);
      };
      this.#hangUp = end;
      socket.onclose = end;
      socket.onopen = () => {
        stillAlive();
        send({ type: "hello", token, after: this.listener.lastSeq() });
        this.acknowledge = (seq) => send({ type: "seen", seq });
        this.listener.connected(true);
      };
      socket.onmessage = (event: MessageEvent<unknown>) => {
        stillAlive();
        try {
          const frame = fields(JSON.parse(String(event.data)));
          const type = text(frame, "type");
          if (type === "error") {
            const refused = text(fields(frame["error"]), "code") === "unauthenticated";
            end();
            if (refused) this.gateway.refuse(token);
            return;
          }
          worked = true;
          if (type === "ping") send({ type: "pong" });
          if (type === "messages") this.listener.messages(parseMessages(frame));
        } catch {
          worked = false;
          end(); // not our gateway, or another version of it: ask again from the last seq
        }
      };
    });
  }

  /** One long poll; true when it was answered. */
  async #poll(): Promise<boolean> {
    if (Date.now() - this.#lastSocket > POLLING_SPELL) {
      this.#socketFailures = SOCKET_FAILURES_BEFORE_POLLING - 1;
    }
    try {
      const { gateway, listener } = this;
      // A held-back answer proves nothing until it comes: the first question does not wait.
      const messages = await gateway.messagesAfter(listener.lastSeq(), this.#caughtUp);
      this.#caughtUp = true;
      listener.connected(true);
      listener.messages(messages);
      return true;
    } catch {
      this.#caughtUp = false;
      return false;
    }
  }
}
