// What the client computes of a team, in its own language. Reads {what, given} on standard input,
// writes the answer to standard output.
"use strict";

const { createHash } = require("node:crypto");
const { readFileSync } = require("node:fs");

const sha256 = (text) => createHash("sha256").update(text, "utf8").digest("hex");

const isNothing = (value) =>
  value === null || value === undefined || value === "" || (Array.isArray(value) && !value.length);

function canonical(entry, lists) {
  const kept = {};
  for (const key of Object.keys(entry).sort()) {
    const value = entry[key];
    if (!isNothing(value)) kept[key] = lists.includes(key) ? [...value].sort() : value;
  }
  return kept;
}

function hashOf(entries, by, lists) {
  const sorted = [...entries].sort((one, other) => one[by].localeCompare(other[by]));
  return sha256(JSON.stringify(sorted.map((entry) => canonical(entry, lists))));
}

function merge(existing, incoming) {
  if (!existing || !incoming) return existing || incoming || "";
  const known = new Set(existing.split("\n").map((line) => line.trim()).filter(Boolean));
  const added = incoming.split("\n").filter((line) => line.trim() && !known.has(line.trim()));
  return added.length ? existing.trimEnd() + "\n" + added.join("\n") + "\n" : existing;
}

const answers = {
  // The places of the names in order, and of each but the first whether it is above the one before.
  order(names) {
    const places = names.map((_, place) => place);
    places.sort((one, other) => names[one].localeCompare(names[other]));
    const above = places.slice(1).map((place, i) => names[places[i]].localeCompare(names[place]) < 0);
    return { places, above };
  },
  members: (teams) => teams.map((members) => hashOf(members, "name", ["skills"])),
  skills: (teams) => teams.map((skills) => hashOf(skills, "id", ["globs"])),
  knowledge: (texts) => texts.map((text) => sha256(text ? text.trimEnd() + "\n" : "")),
  merged: (pairs) => pairs.map(([existing, incoming]) => merge(existing, incoming)),
};

const { what, given } = JSON.parse(readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify(answers[what](given)));
