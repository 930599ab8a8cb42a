import { amqpPort, definitions, distributionPort, enabledPlugins, memoryShare, rabbitmqConfig } from './settings.ts';

/** In a scratch volume, which the server's settings and the cookie do not outlive. */
export const home = '/tmp';

const definitionsFile = `${home}/definitions.json`;
const config = rabbitmqConfig({ definitionsFile });
const memoryConfig = rabbitmqConfig({ definitionsFile, memory: { limit: '$MEMORY_LIMIT', watermark: '$watermark' } })
  .split('\n')
  .filter((line) => line.includes('$'))
  .join('\n');

/**
 * Writes the settings and becomes the server. It gets the hash of the password and never the password; nothing secret is an
 * argument. The cookie, which opens the node to tools, is new at each start and readable by the server's user alone: on the volume
 * it would be opened to its group by `fsGroup`, which Erlang refuses. For bash, whose `printf` knows `\x`.
 */
export const startScript = `set -eu
umask 077
export HOME=${home} RABBITMQ_MNESIA_BASE=/var/lib/rabbitmq/mnesia RABBITMQ_CONFIG_FILE=${home}/skipper.conf
export RABBITMQ_ENABLED_PLUGINS_FILE=${home}/skipper.plugins RABBITMQ_LOGS=- RABBITMQ_LOG_BASE=${home}/log RABBITMQ_PID_FILE=${home}/skipper.pid
export ERL_EPMD_ADDRESS=127.0.0.1 RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS='-kernel inet_dist_use_interface {127,0,0,1}'
random() { head -c "$1" /dev/urandom | od -An -v -tx1 | tr -d ' \\n'; }
binary() { printf "$(printf %s "$1" | sed 's/../\\\\x&/g')"; }
rm -f "$HOME/.erlang.cookie"
random 32 >"$HOME/.erlang.cookie"
chmod 400 "$HOME/.erlang.cookie"
salt=$(random 4)
digest=$({ binary "$salt"; printf %s "$RABBITMQ_DEFAULT_PASS"; } | sha256sum)
hash=$(binary "$salt\${digest%% *}" | base64)
cat >${definitionsFile} <<END
${definitions('$RABBITMQ_DEFAULT_USER', '$hash')}
END
cat >"$RABBITMQ_ENABLED_PLUGINS_FILE" <<END
${enabledPlugins}END
cat >"$RABBITMQ_CONFIG_FILE" <<END
${config}END
if [ -n "\${MEMORY_LIMIT:-}" ]; then
watermark=$((MEMORY_LIMIT / 100 * ${memoryShare * 100}))
cat >>"$RABBITMQ_CONFIG_FILE" <<END
${memoryConfig}
END
fi
unset RABBITMQ_DEFAULT_USER RABBITMQ_DEFAULT_PASS MEMORY_LIMIT
# The server's own script stays between otherwise, and hands a stop on by a slow tool.
export RUNNING_UNDER_SYSTEMD=true
exec rabbitmq-server`;

/** The bytes that open AMQP 0-9-1, for `printf`; the server answers with a method frame, whose first byte is 1. */
const header = 'AMQP\\0\\0\\11\\1';
const speaksAmqp = `{ printf '${header}' >&3; IFS= read -r -N 1 -t 4 -u 3 kind; [ "$kind" = $'\\1' ]; } 3<>/dev/tcp/127.0.0.1/${amqpPort}`;
const isListening = (port: number): string => `{ :; } 2>/dev/null 3<>/dev/tcp/127.0.0.1/${port}`;

/** A few ms of CPU, where `rabbitmq-diagnostics` takes seconds. The listener opens when everything else has started. */
export const acceptsClients = ['bash', '-c', speaksAmqp];
/** Before the listener opens, while queues are recovered say, an Erlang node that can be reached is enough. */
export const isAlive = ['bash', '-c', `if ${isListening(amqpPort)}; then ${speaksAmqp}; else ${isListening(distributionPort)}; fi`];
