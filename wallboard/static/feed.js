// The stream of boards: opened again whenever it ends, and says what it knows of the server's clock and of itself.

const AGAIN_MS = 2_000;
const SILENT_MS = 7_000; // the server says something every 2 s

export class Feed {
  boards = new Map(); // by control room
  announcements = new Map(); // by control room, the newest first
  offset = 0; // the server's clock less this one, ms
  heardAt = null;
  kafkaLostSince = null;
  #source = null;

  // `onChange` is called with the control room of which there is news; `onLost` when the server ended the stream.
  constructor(onChange, onLost) {
    this.onChange = onChange;
    this.onLost = onLost;
  }

  // Follow these rooms only; `view` is the server's: `room`, or `supervisor` with single visits.
  open(centres, view) {
    this.#source?.close();
    for (const known of [this.boards, this.announcements]) {
      for (const centre of known.keys()) if (!centres.includes(centre)) known.delete(centre);
    }
    const asked = new URLSearchParams(centres.map((centre) => ['centre', centre]));
    asked.set('view', view);
    const source = (this.#source = new EventSource(`/api/stream?${asked}`));
    source.addEventListener('hello', (event) => this.#beat(JSON.parse(event.data)));
    source.addEventListener('beat', (event) => this.#beat(JSON.parse(event.data)));
    source.addEventListener('announcements', (event) => this.#note(event, (said) => this.announcements.set(said.centre, said.announcements)));
    source.addEventListener('board', (event) => this.#note(event, (board) => this.boards.set(board.centre, board)));
    source.onerror = () => {
      if (source.readyState === EventSource.CLOSED && source === this.#source) setTimeout(this.onLost, AGAIN_MS);
    };
  }

  get isSilent() {
    return this.heardAt !== null && Date.now() - this.heardAt > SILENT_MS;
  }

  #beat(said) {
    this.heardAt = Date.now();
    this.offset = Date.parse(said.server_time) - this.heardAt;
    this.kafkaLostSince = said.feed?.state === 'lost' ? said.feed.since : null;
  }

  #note(event, keep) {
    let content;
    try {
      content = JSON.parse(event.data);
    } catch {
      return; // a broken record is not shown; the next one comes soon
    }
    this.heardAt = Date.now();
    keep(content);
    this.onChange(content.centre);
  }
}
