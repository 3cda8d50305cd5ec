// Puts the page together: who looks, which rooms there are, which view the address asks for, and the stream. What comes
// is drawn with the next picture of the screen; a look at the clock twice a second lets waits and ages tick.

import { feedOf } from './board.js';
import { showControls, showLogin } from './controls.js';
import { set } from './dom.js';
import { Feed } from './feed.js';
import { clock } from './format.js';
import { ACT } from './judge.js';
import { SingleQueue } from './queue.js';
import { Room } from './room.js';
import { routeOf } from './route.js';
import { apply, keep, settings } from './settings.js';
import { Supervisor } from './supervisor.js';
import { Verdicts } from './verdicts.js';
import { word } from './words.js';

const LOOK_MS = 500;
const DRAW_MS = 50;
const CENTRES_MS = 10_000;
const HISTORY_MS = 60_000;
const START_AGAIN_MS = 2_000;
const ROWS_MIN = 6;
const BANNER_ROWS = 0.4;

const at = (id) => document.getElementById(id);
const verdicts = new Map(); // by control room, kept from view to view
const histories = new Map(); // by control room
const due = new Set(); // control rooms that are to be drawn
const feed = new Feed(drawSoon, () => look(true));
let drawnAt = -DRAW_MS;
let views = []; // those on the screen: each with its centre and its node
let session = null;
let known = '';
let streamed = '';
let missing = null; // a control room that the address names and nobody has heard

apply();
start();

async function start() {
  session = await ask('/api/session');
  if (session === null) return setTimeout(start, START_AGAIN_MS);
  if (location.hash) keep('view', location.hash.slice(1));
  else history.replaceState(null, '', `#${settings.view}`);
  label();
  if (session.login && !session.user) return showLogin(at('rooms'), () => location.reload());
  addEventListener('hashchange', navigate);
  await look();
  tick();
  setInterval(look, CENTRES_MS);
  setInterval(trends, HISTORY_MS);
  setInterval(tick, LOOK_MS);
}

async function navigate() {
  keep('view', location.hash.slice(1));
  label();
  await look();
  scrollTo(0, 0);
  // A link that was followed is gone, and the focus with it.
  if (document.activeElement === document.body) views[0]?.node.querySelector('[tabindex="-1"]')?.focus();
}

function label() {
  apply();
  set(at('title'), word('title'));
  document.title = word('title');
  showControls(at('settings'), session, (name) => {
    if (name === 'view') location.hash = settings.view;
    else label();
  });
}

// Which rooms there are. What is on the screen is built anew when that, or the view, has changed.
async function look(again = false) {
  const answer = await ask('/api/centres');
  if (answer === null) return;
  const centres = answer.centres.map((each) => each.centre);
  const wanted = JSON.stringify([centres, settings.view]);
  if (centres.length === 0 || (wanted === known && again !== true)) return;
  known = wanted;
  show(centres, again === true);
}

function show(centres, again) {
  const supervises = session.role === 'supervise';
  const route = routeOf(settings.view);
  const view = route.view === 'supervisor' && !supervises ? 'room' : route.view;
  const wanted = route.centre === null ? centres : [route.centre];
  if (view === 'queue') views = [new SingleQueue(wanted[0], route.queue, supervises)];
  else if (view === 'room') views = wanted.map((centre) => new Room(centre));
  else views = wanted.flatMap((centre) => [new Room(centre), new Supervisor(centre)]);
  at('rooms').replaceChildren(...views.map((each) => each.node));
  document.documentElement.dataset.view = view;
  const shown = [...new Set(views.map((each) => each.centre))];
  missing = shown.find((centre) => !centres.includes(centre)) ?? null;
  if (missing === null) follow(shown, view === 'room' || !supervises ? 'room' : 'supervisor', again);
  for (const centre of shown) drawSoon(centre);
  trends();
}

// The same rooms seen with the same right need no other stream.
function follow(centres, view, again) {
  const wanted = JSON.stringify([centres, view]);
  if (wanted === streamed && !again) return;
  streamed = wanted;
  feed.open(centres, view);
}

async function trends() {
  for (const centre of new Set(views.map((each) => each.centre))) {
    const answer = await ask(`/api/centres/${encodeURIComponent(centre)}/history?minutes=60`);
    if (answer !== null) histories.set(centre, answer);
    drawSoon(centre);
  }
}

// The first change at once; then no more pictures a second than anybody can tell apart, however many rooms there are.
function drawSoon(centre) {
  if (due.size === 0) {
    const wait = Math.max(0, drawnAt + DRAW_MS - performance.now());
    setTimeout(() => requestAnimationFrame(drawDue), wait);
  }
  due.add(centre);
}

function drawDue() {
  drawnAt = performance.now();
  const centres = [...due];
  due.clear();
  for (const centre of centres) draw(centre);
  rows();
}

function draw(centre) {
  const board = feed.boards.get(centre);
  if (board === undefined) return;
  const now = Date.now() + feed.offset;
  const state = { board, feed: feedOf(board, now), history: histories.get(centre) ?? null, announcements: feed.announcements.get(centre) ?? null };
  if (!verdicts.has(centre)) verdicts.set(centre, new Verdicts());
  const before = verdicts.get(centre).words;
  verdicts.get(centre).update(board, state.feed, now);
  state.words = verdicts.get(centre).words;
  for (const view of views) if (view.centre === centre) view.update(state);
  ring(board, before, state.words);
}

function tick() {
  set(at('clock'), clock(Date.now() + feed.offset));
  for (const centre of feed.boards.keys()) draw(centre);
  sayTrouble();
  rows();
}

// The style sheet divides the height of a wall among the rows that there are, and what is said above them.
function rows() {
  const queues = views.reduce((sum, { centre }) => sum + 1 + (feed.boards.get(centre)?.queues.length ?? 0), 0);
  const banners = views.filter(({ node: { dataset } }) => (dataset.feed ?? 'live') !== 'live').length + (at('trouble').hidden ? 0 : 1);
  const [style, wanted] = [document.documentElement.style, String(Math.max(queues, ROWS_MIN) + BANNER_ROWS * banners)];
  if (style.getPropertyValue('--rows') !== wanted) style.setProperty('--rows', wanted);
}

function sayTrouble() {
  let says = '';
  if (feed.isSilent) says = word('unreachable', { time: clock(feed.heardAt + feed.offset) });
  else if (feed.kafkaLostSince) says = word('kafka_lost', { time: clock(Date.parse(feed.kafkaLostSince)) });
  else if (views.length === 0) says = word('no_rooms');
  else if (missing !== null) says = word('no_room', { centre: missing });
  at('trouble').hidden = says === '';
  set(at('trouble'), says);
}

// A new ACT on 999 may sound. Off unless somebody asked for it on this screen.
function ring(board, before, after) {
  if (!settings.sound) return;
  for (const { queue, service } of board.queues) {
    const [was, is] = [before.get(queue)?.worst, after.get(queue)?.worst];
    if (service === '999' && is === ACT && was !== undefined && was !== ACT) beep();
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
