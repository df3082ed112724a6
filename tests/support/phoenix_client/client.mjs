// The real Phoenix client (the npm package "phoenix"), driven line by line.
//
// Started as `node client.mjs <folder of modules> <url of the socket> <headers as JSON>`. Each line
// of standard input is a command in JSON, and each line of standard output what came of it or what
// the client saw. It ends when its standard input does.

import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';

const [modules, url, headers] = process.argv.slice(2);
const load = createRequire(resolve(modules, 'x.js'));
const { Socket } = load(resolve(modules, 'phoenix'));
const WebSocket = load(resolve(modules, 'ws'));

const say = (line) => process.stdout.write(JSON.stringify(line) + '\n');

class Introduced extends WebSocket {
  constructor(address, protocols) {
    super(address, protocols, { headers: JSON.parse(headers) });
  }
}

const socket = new Socket(url, {
  transport: Introduced,
  params: { ticket: 'not.checked.here' },
  heartbeatIntervalMs: 200,
  reconnectAfterMs: () => 100,
  rejoinAfterMs: () => 100,
});
socket.onOpen(() => say({ saw: 'open' }));
socket.onClose((event) => say({ saw: 'closed', code: event.code }));

const channels = new Map();

const answer = (push, asked) =>
  push
    .receive('ok', (response) => say({ asked, status: 'ok', response }))
    .receive('error', (response) => say({ asked, status: 'error', response }))
    .receive('timeout', () => say({ asked, status: 'timeout' }));

const join = (asked, topic) => {
  const channel = socket.channel(topic, {});
  channels.set(topic, channel);
  for (const event of ['knowledge:updated', 'tasks:created', 'tasks:updated']) {
    channel.on(event, (payload) => say({ saw: event, topic, payload }));
  }
  channel.onClose(() => say({ saw: 'topic closed', topic }));
  channel.onError(() => say({ saw: 'topic failed', topic }));
  answer(channel.join(), asked);
};

const commands = {
  connect: () => socket.connect(),
  join: ({ asked, topic }) => join(asked, topic),
  push: ({ asked, topic, event, payload }) => answer(channels.get(topic).push(event, payload), asked),
  leave: ({ asked, topic }) => answer(channels.get(topic).leave(), asked),
  ping: ({ asked }) => socket.ping(() => say({ asked, status: 'ok', response: {} })),
  state: ({ asked, topic }) =>
    say({ asked, status: 'ok', response: { state: channels.get(topic).state } }),
};

createInterface({ input: process.stdin })
  .on('line', (line) => {
    const command = JSON.parse(line);
    commands[command.do](command);
  })
  .on('close', () => process.exit(0));
