// Puts the page together: who looks, which rooms there are, the stream, and a look at the clock twice a second.

import { showControls, showLogin } from './controls.js';
import { Feed } from './feed.js';
import { clock } from './format.js';
import { ACT } from './judge.js';
import { Room, set } from './room.js';
import { apply, settings } from './settings.js';
import { Supervisor } from './supervisor.js';
import { word } from './words.js';

const LOOK_MS = 500;
const CENTRES_MS = 10_000;
const HISTORY_MS = 60_000;

const at = (id) => document.getElementById(id);
const rooms = new Map(); // by control room: { room, supervisor }
const feed = new Feed(() => {});
let session = null;
let known = '';

apply();
start();

async function start() {
  session = await ask('/api/session');
  if (session === null) return setTimeout(start, CENTRES_MS / 5);
  if (session.role !== 'supervise' && settings.view === 'supervisor') settings.view = 'room';
  label();
  if (session.login && !session.user) return showLogin(at('rooms'), () => location.reload());
  feed.onLost = () => look(true);
  await look(true);
  setInterval(look, CENTRES_MS);
  setInterval(trends, HISTORY_MS);
  setInterval(tick, LOOK_MS);
}

function label() {
  apply();
  set(at('title'), word('title'));
  document.title = word('title');
  showControls(at('settings'), session, (name) => {
    label();
    if (name === 'view') look(true);
  });
}

// Which rooms there are; the stream is opened anew when that, or the view, has changed.
async function look(again = false) {
  const answer = await ask('/api/centres');
  if (answer === null) return;
  const centres = answer.centres.map((each) => each.centre);
  const wanted = JSON.stringify([centres, settings.view]);
  if (centres.length === 0 || (wanted === known && again !== true)) return;
  known = wanted;
  for (const centre of centres) {
    if (!rooms.has(centre)) rooms.set(centre, { room: new Room(centre), supervisor: new Supervisor(centre) });
  }
  at('rooms').replaceChildren(...centres.flatMap((centre) => {
    const { room, supervisor } = rooms.get(centre);
    return settings.view === 'supervisor' ? [room.node, supervisor.node] : [room.node];
  }));
  document.body.dataset.view = settings.view;
  document.body.style.setProperty('--rooms', centres.length);
  feed.open(centres, settings.view);
  trends();
}

async function trends() {
  for (const [centre, { room }] of rooms) {
    const answer = await ask(`/api/centres/${encodeURIComponent(centre)}/history?minutes=60`);
    if (answer !== null) room.history = { ...answer, key: `${settings.language} ${Date.now()}` };
  }
}

function tick() {
  const now = Date.now() + feed.offset;
  set(at('clock'), clock(now));
  for (const [centre, { room, supervisor }] of rooms) {
    const board = feed.boards.get(centre);
    if (board === undefined) continue;
    room.board = board;
    const before = new Map(room.words);
    room.update(now);
    if (settings.view === 'supervisor') supervisor.update(board, now);
    ring(board, before, room.words);
  }
  sayTrouble();
}

function sayTrouble() {
  let says = '';
  if (feed.isSilent) says = word('unreachable', { time: clock(feed.heardAt + feed.offset) });
  else if (feed.kafkaLostSince) says = word('kafka_lost', { time: clock(Date.parse(feed.kafkaLostSince)) });
  else if (rooms.size === 0) says = word('no_rooms');
  at('trouble').hidden = says === '';
  set(at('trouble'), says);
}

// A new ACT on 999 may sound. Off unless somebody asked for it on this screen.
function ring(board, before, after) {
  if (!settings.sound) return;
  const is999 = new Set(board.queues.filter((queue) => queue.service === '999').map((queue) => queue.queue));
  for (const [queue, judged] of after) {
    if (is999.has(queue) && judged === ACT && before.has(queue) && before.get(queue) !== ACT) beep();
  }
}

function beep() {
  const audio = new AudioContext();
  const tone = audio.createOscillator();
  tone.frequency.value = 880;
  tone.connect(audio.destination);
  tone.start();
  tone.stop(audio.currentTime + 0.4);
  tone.onended = () => audio.close();
}

async function ask(path) {
  try {
    const answer = await fetch(path);
    if (answer.status === 401) location.reload();
    return answer.ok ? await answer.json() : null;
  } catch {
    return null;
  }
}
