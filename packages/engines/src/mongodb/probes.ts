export const mongodbPort = 27_017;

/** The command `hello` as a message of MongoDB's wire protocol, for bash's `printf`. https://www.mongodb.com/docs/manual/reference/mongodb-wire-protocol/ */
const helloMessage =
  // Length 52, request 1, in answer to none, OP_MSG; no flags, one document.
  '\\x34\\0\\0\\0\\1\\0\\0\\0\\0\\0\\0\\0\\xdd\\7\\0\\0\\0\\0\\0\\0\\0' +
  // { hello: 1, $db: 'admin' }
  '\\x1f\\0\\0\\0\\x10hello\\0\\1\\0\\0\\0\\2$db\\0\\6\\0\\0\\0admin\\0\\0';
/** `isWritablePrimary: true` in BSON, without its type, in hex. */
const writable = '697357726974' + '61626c655072696d617279' + '00' + '01';

/** What waits longer ends by itself: a probe that is cut off leaves what it runs behind, with its connection. */
const receive = 'timeout 4 head -c';

/** Needs no account and takes some ms of CPU, where a shell of MongoDB's takes two seconds. */
const hello = `hex() { od -An -v -tx1 | tr -d ' \\n'; }
{
  printf '${helloMessage}' >&3
  length=$(${receive} 4 <&3 | hex)
  [ "\${#length}" = 8 ]
  answer=$(${receive} $((0x\${length:6:2}\${length:4:2}\${length:2:2}\${length:0:2} - 4)) <&3 | hex)
} 3<>/dev/tcp/127.0.0.1/${mongodbPort}
[[ $answer == *${writable}* ]]`;

/**
 * Logs in as the administrator. The image makes it at the first start alone: when that one was killed before, no account is
 * there, and MongoDB lets a client of its own machine make the first one.
 * https://www.mongodb.com/docs/manual/core/localhost-exception/
 */
const makeSureOfAdministrator = `
const { MONGO_INITDB_ROOT_USERNAME: user, MONGO_INITDB_ROOT_PASSWORD: pwd } = process.env;
const server = '127.0.0.1:${mongodbPort}/admin';
const authenticationFailed = 18;
try {
  connect('mongodb://' + encodeURIComponent(user) + ':' + encodeURIComponent(pwd) + '@' + server);
} catch (error) {
  if (error.code !== authenticationFailed) throw error;
  connect('mongodb://' + server).runCommand({ createUser: user, pwd, roles: ['root'] });
}`;

/** Done when the server has recovered, answers, and knows its administrator. */
export const hasStarted = ['bash', '-c', `set -e\n${hello}\nexec mongosh --quiet --norc --nodb --eval "$0"`, makeSureOfAdministrator];
export const acceptsClients = ['bash', '-c', `set -e\n${hello}`];
/** A server that does not listen is recovering or shutting down, and not to be killed; one that listens has to answer. */
export const isAlive = ['bash', '-c', `{ :; } 2>/dev/null 3<>/dev/tcp/127.0.0.1/${mongodbPort} || exit 0\nset -e\n${hello}`];
