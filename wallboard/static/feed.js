// The stream of boards: opened again whenever it ends, and says what it knows of the server's clock and of itself.

const AGAIN_MS = 2_000;
const SILENT_MS = 7_000; // the server says something every 2 s

export class Feed {
  boards = new Map(); // by control room: { board, heardAt }
  announcements = new Map();
  offset = 0; // the server's clock less this one, ms
  heardAt = null;
  kafkaLostSince = null;
  #source = null;

  constructor(onChange) {
    this.onChange = onChange;
  }

  open(centres, view) {
    this.close();
    const asked = new URLSearchParams(centres.map((centre) => ['centre', centre]));
    asked.set('view', view);
    const source = (this.#source = new EventSource(`/api/stream?${asked}`));
    source.addEventListener('hello', (event) => this.#beat(JSON.parse(event.data)));
    source.addEventListener('beat', (event) => this.#beat(JSON.parse(event.data)));
    source.addEventListener('announcements', (event) => this.#note(this.announcements, event));
    source.addEventListener('board', (event) => this.#note(this.boards, event));
    source.onerror = () => {
      if (source.readyState === EventSource.CLOSED && source === this.#source) setTimeout(() => this.onLost?.(), AGAIN_MS);
    };
  }

  close() {
    this.#source?.close();
    this.#source = null;
  }

  get isSilent() {
    return this.heardAt !== null && Date.now() - this.heardAt > SILENT_MS;
  }

  #beat(said) {
    this.heardAt = Date.now();
    this.offset = Date.parse(said.server_time) - this.heardAt;
    this.kafkaLostSince = said.feed?.state === 'lost' ? said.feed.since : null;
  }

  #note(place, event) {
    let content;
    try {
      content = JSON.parse(event.data);
    } catch {
      return; // a broken record is not shown; the next one comes soon
    }
    this.heardAt = Date.now();
    place.set(content.centre, content);
    this.onChange();
  }
}
