// The page: who is there, which view, and what they have in common.

import { Api } from "./api.js";
import { Account } from "./account.js";
import { History } from "./history.js";
import { Insights } from "./insights.js";
import { login, session, takeLink } from "./login.js";
import { Now } from "./now.js";

const api = new Api();
const main = document.getElementById("main");
const connection = document.getElementById("connection");
const announcer = document.getElementById("announcer");
let user = null;
let views = new Map();
let linked = { state: "connecting", since: Date.now() };

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
    linked = state;
    tellConnection();
    if (state.state === "refused") begin();
  },
  counted({ live, progress }) {
    document.getElementById("live").textContent = live ? String(live) : "";
    document.title = live ? `(${live}) Headway` : "Headway";
    drawIcon(progress);
  },
  leave: begin,
};

function tellConnection() {
  const seconds = Math.round((Date.now() - linked.since) / 1000);
  const ago = seconds < 60 ? `${seconds} s` : `${Math.round(seconds / 60)} min`;
  const words = { live: "live", connecting: "connecting…", lost: `not live for ${ago}, trying again`, refused: "signed out" };
  connection.dataset.state = linked.state;
  if (connection.textContent !== words[linked.state]) connection.textContent = user ? words[linked.state] : "";
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
  const key = name in VIEWS ? name : "now";
  for (const link of document.querySelectorAll("nav a")) {
    if (link.dataset.view === (key === "activity" ? "now" : key)) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  // The list is there whichever view is shown: the page knows what runs, and has one stream.
  const [view] = [VIEWS[key], Now].map(viewOf);
  for (const each of views.values()) each.element.hidden = each !== view;
  view.go(decodeURIComponent(argument), new URLSearchParams(location.hash.split("?")[1] ?? ""));
}

function viewOf(kind) {
  if (!views.has(kind)) {
    views.set(kind, new kind(page));
    main.append(views.get(kind).element);
  }
  return views.get(kind);
}

async function begin() {
  for (const view of views.values()) view.leave?.();
  views = new Map();
  main.replaceChildren();
  user = (await takeLink(api)) ?? (await session(api));
  document.body.classList.toggle("out", !user);
  document.querySelector("nav").hidden = !user;
  if (user) route();
  else main.replaceChildren(login(api, begin));
  tellConnection();
}

// A link that signs in may be opened where the page is open already.
addEventListener("hashchange", () => (location.hash.startsWith("#link=") ? begin() : route()));
setInterval(tellConnection, 1_000);
begin();
