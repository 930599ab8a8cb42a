#!/usr/bin/env node
// Answers as MongoDB's documentation says to what the product asks of mongod: accounts with SCRAM-SHA-256, the rights of
// readWrite, dbAdmin and root, the exception for local clients, documents that survive a restart. Not a database.
import { createHash, createHmac, pbkdf2Sync, randomBytes, timingSafeEqual } from 'node:crypto';
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';

const option = (name) => process.argv[process.argv.indexOf(name) + 1];
if (process.argv.includes('--version')) {
  process.stdout.write('db version v8.0.32\n');
  process.exit(0);
}
const { BSON } = await import(process.env.BSON_MODULE ?? 'bson');
const folder = option('--dbpath');
const file = join(folder, 'state.json');
/** Accounts by `database.user`, documents by `database.collection`. */
const state = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : { users: {}, collections: {} };
const save = () => {
  writeFileSync(`${file}.new`, JSON.stringify(state));
  renameSync(`${file}.new`, file);
};
writeFileSync(join(folder, 'mongod.lock'), `${process.pid}\n`);

class Refusal extends Error {
  constructor(code, codeName, message) {
    super(message);
    this.answer = { ok: 0, errmsg: message, code, codeName };
  }
}

const hmac = (key, text) => createHmac('sha256', key).update(text).digest();
const hash = (data) => createHash('sha256').update(data).digest();
const iterations = 15_000;

function credentials(password) {
  const salt = randomBytes(28);
  const salted = pbkdf2Sync(password, salt, iterations, 32, 'sha256');
  return {
    salt: salt.toString('base64'),
    storedKey: hash(hmac(salted, 'Client Key')).toString('base64'),
    serverKey: hmac(salted, 'Server Key').toString('base64'),
  };
}

const writes = new Set(['insert', 'drop', 'find', 'listCollections']);
function requireRight(session, name, database) {
  if (name === 'killAllSessions' && session.dropped) throw new Refusal(13, 'Unauthorized', 'not authorized');
  const account = session.user && state.users[session.user];
  if (!account) {
    if (session.isLocal && Object.keys(state.users).length === 0 && name === 'createUser' && database === 'admin') return;
    throw new Refusal(13, 'Unauthorized', `Command ${name} requires authentication`);
  }
  if (account.roles.some(({ role }) => role === 'root')) return;
  if (writes.has(name) && account.roles.some(({ role, db }) => role === 'readWrite' && db === database)) return;
  throw new Refusal(13, 'Unauthorized', `not authorized on ${database} to execute command ${name}`);
}

const roleList = (roles, database) => roles.map((role) => (typeof role === 'string' ? { role, db: database } : role));
const key = (database, user) => `${database}.${user}`;
const missing = (database, user) => new Refusal(11, 'UserNotFound', `Could not find user "${user}" for db "${database}"`);

const commands = {
  createUser({ createUser: user, pwd, roles }, database) {
    if (state.users[key(database, user)]) throw new Refusal(51_003, 'Location51003', `User "${user}@${database}" already exists`);
    state.users[key(database, user)] = { ...credentials(pwd), roles: roleList(roles, database) };
    save();
  },
  updateUser({ updateUser: user, pwd, roles }, database) {
    const account = state.users[key(database, user)];
    if (!account) throw missing(database, user);
    Object.assign(account, pwd && credentials(pwd), roles && { roles: roleList(roles, database) });
    save();
  },
  dropUser({ dropUser: user }, database) {
    if (!state.users[key(database, user)]) throw missing(database, user);
    delete state.users[key(database, user)];
    save();
  },
  killAllSessions: () => undefined,
  grantRolesToUser({ grantRolesToUser: user, roles }, database) {
    state.users[key(database, user)].roles.push(...roleList(roles, database));
    save();
  },
  insert({ insert, documents }, database) {
    (state.collections[key(database, insert)] ??= []).push(...documents);
    save();
    return { n: documents.length };
  },
  find: ({ find, filter = {} }, database) => ({
    cursor: {
      id: BSON.Long.fromNumber(0),
      ns: key(database, find),
      firstBatch: (state.collections[key(database, find)] ?? []).filter((document) =>
        Object.entries(filter).every(([name, value]) => document[name] === value),
      ),
    },
  }),
  listCollections: (_, database) => ({
    cursor: {
      id: BSON.Long.fromNumber(0),
      ns: `${database}.$cmd.listCollections`,
      firstBatch: Object.keys(state.collections)
        .filter((name) => name.startsWith(`${database}.`))
        .map((name) => ({ name: name.slice(database.length + 1), type: 'collection' })),
    },
  }),
  drop({ drop }, database) {
    if (!state.collections[key(database, drop)]) throw new Refusal(26, 'NamespaceNotFound', 'ns not found');
    delete state.collections[key(database, drop)];
    save();
  },
};

/** Needs no account. https://www.mongodb.com/docs/manual/reference/command/hello/ */
const open = {
  hello: ({ saslSupportedMechs }) => ({
    helloOk: true,
    isWritablePrimary: true,
    ismaster: true,
    maxBsonObjectSize: 16_777_216,
    maxMessageSizeBytes: 48_000_000,
    maxWriteBatchSize: 100_000,
    minWireVersion: 0,
    maxWireVersion: 25,
    ...(saslSupportedMechs ? { saslSupportedMechs: ['SCRAM-SHA-256'] } : {}),
  }),
  ping: () => undefined,
  endSessions: () => undefined,
  saslStart({ payload }, database, session) {
    const bare = payload.toString().slice('n,,'.length);
    const { n, r } = fields(bare);
    const user = key(database, n.replaceAll('=2C', ',').replaceAll('=3D', '='));
    const account = state.users[user] ?? credentials('nobody');
    const first = `r=${r}${randomBytes(18).toString('base64')},s=${account.salt},i=${iterations}`;
    session.scram = { user, account, text: `${bare},${first}` };
    return { conversationId: 1, done: false, payload: new BSON.Binary(Buffer.from(first)) };
  },
  saslContinue({ payload }, _, session) {
    if (payload.length() === 0) return { conversationId: 1, done: true, payload: new BSON.Binary(Buffer.alloc(0)) };
    const { user, account, text } = session.scram;
    const { c, r, p } = fields(payload.toString());
    const message = `${text},c=${c},r=${r}`;
    const storedKey = Buffer.from(account.storedKey, 'base64');
    const signature = hmac(storedKey, message);
    const clientKey = Buffer.from(p, 'base64').map((byte, at) => byte ^ signature[at]);
    if (!timingSafeEqual(hash(clientKey), storedKey) || !state.users[user])
      throw new Refusal(18, 'AuthenticationFailed', 'Authentication failed.');
    session.user = user;
    const proof = hmac(Buffer.from(account.serverKey, 'base64'), message).toString('base64');
    return { conversationId: 1, done: false, payload: new BSON.Binary(Buffer.from(`v=${proof}`)) };
  },
};
open.isMaster = open.ismaster = open.hello;

const fields = (text) => Object.fromEntries(text.split(',').map((part) => [part[0], part.slice(2)]));

function answerTo(command, session) {
  const [name] = Object.keys(command);
  const database = command.$db ?? 'admin';
  try {
    if (open[name]) return { ...open[name](command, database, session), ok: 1 };
    if (!commands[name]) throw new Refusal(59, 'CommandNotFound', `no such command: '${name}'`);
    requireRight(session, name, database);
    return { ...commands[name](command, database, session), ok: 1 };
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return error.answer;
  }
}

const opMsg = 2013;
const opQuery = 2004;
const opReply = 1;

/** https://www.mongodb.com/docs/manual/reference/mongodb-wire-protocol/ */
function handle(message, session) {
  const operation = message.readInt32LE(12);
  if (operation === opQuery) {
    const document = message.subarray(message.indexOf(0, 20) + 1 + 8);
    return reply(message, opReply, [
      Buffer.from([8, 0, 0, 0]),
      Buffer.alloc(12),
      Buffer.from([1, 0, 0, 0]),
      BSON.serialize(answerTo(BSON.deserialize(document), session)),
    ]);
  }
  const command = {};
  for (let at = 20; at < message.length;) {
    const length = message.readInt32LE(at + 1);
    const section = message.subarray(at + 1, at + 1 + length);
    if (message[at] === 0) Object.assign(command, BSON.deserialize(section));
    else {
      let from = section.indexOf(0, 4) + 1;
      const documents = (command[section.subarray(4, from - 1).toString()] = []);
      for (; from < length; from += section.readInt32LE(from))
        documents.push(BSON.deserialize(section.subarray(from, from + section.readInt32LE(from))));
    }
    at += 1 + length;
  }
  return reply(message, opMsg, [Buffer.alloc(5), BSON.serialize(answerTo(command, session))]);
}

function reply(to, operation, parts) {
  const header = Buffer.alloc(16);
  header.writeInt32LE(16 + parts.reduce((sum, { length }) => sum + length, 0), 0);
  header.writeInt32LE(to.readInt32LE(4), 8);
  header.writeInt32LE(operation, 12);
  return Buffer.concat([header, ...parts]);
}

const server = createServer((socket) => {
  const session = { isLocal: socket.remoteAddress === undefined || socket.remoteAddress.startsWith('127.') };
  let received = Buffer.alloc(0);
  socket.on('error', () => undefined);
  socket.on('data', (chunk) => {
    received = Buffer.concat([received, chunk]);
    while (received.length >= 4 && received.length >= received.readInt32LE(0)) {
      const length = received.readInt32LE(0);
      socket.write(handle(received.subarray(0, length), session));
      received = received.subarray(length);
    }
  });
});
const bind = option('--bind_ip');
if (bind.startsWith('/')) server.listen(bind);
else server.listen(Number(option('--port')), bind);
process.on('SIGTERM', () => {
  rmSync(join(folder, 'mongod.lock'), { force: true });
  process.exit(0);
});
