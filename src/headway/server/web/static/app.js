// The page: who is there, which view, and what they have in common.

import { Api } from "./api.js";
import { Account } from "./account.js";
import { h } from "./dom.js";
import { History } from "./history.js";
import { Insights } from "./insights.js";
import { login, session, takeLink } from "./login.js";
import { Names } from "./names.js";
import { Now } from "./now.js";
import { Shared, sharedIn } from "./shared.js";

const api = new Api();
const main = document.getElementById("main");
const connection = document.getElementById("connection");
const announcer = document.getElementById("announcer");
let user = null;
let guest = null; // what is shown to whoever has a link to one activity
let views = new Map();
let linked = { state: "connecting", since: Date.now() };
let begun = 0;
let left = false; // somebody was signed in here, and is no more
let arriving = Promise.resolve(); // by a link, which ends the session before: whoever asks then waits for the next

const tabs = new BroadcastChannel(`headway-page ${new URL(".", location.href).pathname}`);

const SPENT = "This link is used up, or too old.";
const OUT = "You are signed out. Sign in, and it goes on where you were.";
const VIEWS = { now: Now, activity: Now, history: History, insights: Insights, account: Account };

/** What the views need of the page. */
const page = {
  api,
  get user() {
    return user;
  },
  announce(text) {
    announcer.textContent = text;
  },
  connected(state) {
    const before = linked.state;
    linked = state;
    tellConnection();
    if (state.state === "refused") begin();
    else if (state.state === "lost") page.announce("The connection is lost; trying again.");
    else if (state.state === "degraded") page.announce("The server cannot reach its store: what is shown may be old.");
    else if (["lost", "degraded"].includes(before) && state.state === "live") page.announce("Live again.");
    if (state.state === "lost" || before === "lost") sameUser();
  },
  counted({ live, progress }) {
    document.getElementById("live").textContent = live ? String(live) : "";
    document.title = live ? `(${live}) Headway` : "Headway";
    drawIcon(progress);
  },
  names: null,
  leave: begin,
};

/** A stream that is cut may mean that another tab has signed in as somebody else, or that the role is another. */
async function sameUser() {
  const now = await session(api).catch(() => user);
  if (now?.userID !== user?.userID || now?.role !== user?.role) begin();
}

function tellConnection() {
  const seconds = Math.round((Date.now() - linked.since) / 1000);
  const ago = seconds < 60 ? `${seconds} s` : `${Math.round(seconds / 60)} min`;
  const words = { live: "live", connecting: "connecting…", degraded: `the server is without its store for ${ago}`, lost: `not live for ${ago}, trying again`, refused: "signed out", over: "ended", gone: "" };
  connection.dataset.state = linked.state;
  const word = user || guest ? words[linked.state] : "";
  if (connection.textContent !== word) connection.textContent = word;
}

/** The progress of all that runs, as a ring in the tab. */
function drawIcon(progress) {
  const link = document.querySelector("link[rel=icon]");
  if (progress === null) {
    if (link.dataset.drawn) link.href = "icon.svg";
    delete link.dataset.drawn;
    return;
  }
  const percent = Math.round(progress * 100);
  if (link.dataset.drawn === String(percent)) return;
  link.dataset.drawn = String(percent);
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 32;
  const pen = canvas.getContext("2d");
  pen.lineWidth = 6;
  for (const [colour, part] of [["#8a94a3", 1], ["#1c5fd1", progress]]) {
    pen.strokeStyle = colour;
    pen.beginPath();
    pen.arc(16, 16, 12, -Math.PI / 2, -Math.PI / 2 + part * 2 * Math.PI);
    pen.stroke();
  }
  link.href = canvas.toDataURL("image/png");
}

function route() {
  if (!user) return;
  const [, name = "", argument = ""] = location.hash.slice(1).split("?")[0].split("/");
  const key = Object.hasOwn(VIEWS, name) ? name : "now";
  for (const link of document.querySelectorAll("nav a")) {
    if (link.dataset.view === (key === "activity" ? "now" : key)) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  // The list is there whichever view is shown: the page knows what runs, and has one stream.
  const [view] = [VIEWS[key], Now].map(viewOf);
  for (const each of views.values()) each.element.hidden = each !== view;
  view.go(argument, new URLSearchParams(location.hash.split("?")[1] ?? ""));
}

function viewOf(kind) {
  if (!views.has(kind)) {
    views.set(kind, new kind(page));
    main.append(views.get(kind).element);
  }
  return views.get(kind);
}

/** Find out who is there, and show what there is for them; from the beginning each time. */
async function begin() {
  const turn = ++begun;
  for (const view of views.values()) view.leave?.();
  views = new Map();
  left ||= user !== null;
  user = null;
  if (guest) linked = { state: "connecting", since: Date.now() };
  guest?.leave();
  guest = null;
  main.replaceChildren();
  document.querySelector("nav").hidden = true;
  page.counted({ live: 0, progress: null });
  const shared = sharedIn(location.hash);
  document.querySelector(".skip").hidden = Boolean(shared);
  document.querySelector(".brand").toggleAttribute("href", false);
  if (shared) return visit(shared);
  document.querySelector(".brand").href = "#/";
  try {
    arriving = arriving.catch(() => {}).then(() => takeLink(api));
    const arrived = await arriving;
    const found = arrived || (await session(api));
    const names = found && new Names(api, found);
    await names?.learn();
    if (turn !== begun) return; // a later one is on its way
    [user, page.names] = [found, names];
    if (user) {
      left = false;
      tabs.postMessage("in");
    } else main.replaceChildren(login(api, begin, { trouble: arrived === null ? SPENT : "", notice: left ? OUT : "" }));
  } catch {
    if (turn !== begun) return;
    main.replaceChildren(h("p", { class: "notice", role: "status" }, "The server does not answer; trying again."));
    setTimeout(() => turn === begun && begin(), 3_000);
  }
  document.querySelector("nav").hidden = !user;
  route();
  tellConnection();
}

/** One activity, and no way on from it. */
function visit(shared) {
  const connected = (state) => {
    linked = state;
    tellConnection();
  };
  guest = new Shared(shared, { connected, announce: page.announce, progress: drawIcon });
  main.replaceChildren(guest.element);
  tellConnection();
}

document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault(); // the fragment says which view is shown
  (main.querySelector(".view:not([hidden]) headway-activities") ?? main).focus();
});

// A tab that asked while another was signing in has heard of nobody.
tabs.addEventListener("message", () => user || guest || begin());
// A link may be opened where the page is open already.
addEventListener("hashchange", () => (guest || /^#(link|shared)=/.test(location.hash) ? begin() : route()));
setInterval(tellConnection, 1_000);
begin();
