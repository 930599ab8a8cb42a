/** In a scratch volume: settings, certificates and logs are made anew at each start. */
export const scratch = '/tmp';
export const imageHome = '/usr/share/opensearch';
export const httpPort = 9200;

/** What memory mapping of indices takes. https://docs.opensearch.org/latest/install-and-configure/install-opensearch/index/#important-settings */
const neededMaps = 262_144;
/** With half of it as heap, the least that the bundled plugins start with, in bytes. */
const leastMemory = 2 ** 30;
/** Above it the JVM needs longer pointers, in bytes. */
const largestHeap = 30 * 2 ** 30;

/** https://docs.opensearch.org/latest/security/configuration/configuration/: basic authentication against the internal users, and nothing else. */
const securityConfig = `_meta:
  type: config
  config_version: 2
config:
  dynamic:
    do_not_fail_on_forbidden: false
    http:
      anonymous_auth_enabled: false
      xff:
        enabled: false
    authc:
      internal:
        http_enabled: true
        transport_enabled: true
        order: 0
        http_authenticator:
          type: basic
          challenge: true
        authentication_backend:
          type: intern
`;

/** https://docs.opensearch.org/latest/security/access-control/users-roles/: in the place of the demo users. */
const internalUsers = `_meta:
  type: internalusers
  config_version: 2
$OPENSEARCH_USERNAME:
  hash: "$hash"
  reserved: true
`;

/** In the place of the demo mappings, of which one gives every user an index. */
const rolesMapping = `_meta:
  type: rolesmapping
  config_version: 2
all_access:
  reserved: true
  users:
  - "$OPENSEARCH_USERNAME"
`;

const settings = `cluster.name: skipper
node.name: opensearch
discovery.type: single-node
path.data: $data
path.logs: $scratch/logs
http.host: $listen
http.port: ${httpPort}
transport.host: $transport
`;

/** The settings of the security plugin: https://docs.opensearch.org/latest/install-and-configure/configuring-opensearch/security-settings/ */
const securitySettings = `plugins.security.allow_default_init_securityindex: true
plugins.security.restapi.roles_enabled: ["all_access"]
plugins.security.nodes_dn: ["CN=opensearch"]
plugins.security.ssl.http.enabled: false
plugins.security.ssl.transport.enforce_hostname_verification: false
plugins.security.ssl.transport.keystore_type: PKCS12
plugins.security.ssl.transport.keystore_filepath: node.p12
plugins.security.ssl.transport.keystore_alias: node
plugins.security.ssl.transport.keystore_password: $STORE_PASSWORD
plugins.security.ssl.transport.truststore_type: PKCS12
plugins.security.ssl.transport.truststore_filepath: trust.p12
plugins.security.ssl.transport.truststore_alias: node
plugins.security.ssl.transport.truststore_password: $STORE_PASSWORD
`;

/**
 * Makes the settings in a folder of their own, since the image's is read-only, and becomes the server. The image's entry point would
 * take its settings from the image's folder alone. OpenSearch learns the hash of the password at the first start, and never the
 * password; nothing secret is an argument. The transport layer insists on certificates, and listens on loopback for nobody else:
 * they are made by the JDK's own tool, signed by themselves, and live as long as the process.
 *
 * The same script runs on the embedded cluster, where `OPENSEARCH_HOME` and the variables below it say where things are.
 */
export const startScript = `set -eu
umask 077
home=\${OPENSEARCH_HOME:-${imageHome}}
data=\${OPENSEARCH_DATA:-${imageHome}/data}
scratch=\${OPENSEARCH_SCRATCH:-${scratch}}
listen=\${OPENSEARCH_LISTEN:-0.0.0.0}
transport=\${OPENSEARCH_TRANSPORT:-127.0.0.1}
fail() {
  echo "$1" >&2
  if [ -w /dev/termination-log ]; then printf %s "$1" >/dev/termination-log; fi
  exit 1
}
heap=${leastMemory / 2}
if [ -n "\${MEMORY_LIMIT:-}" ]; then
  if [ "$MEMORY_LIMIT" -lt ${leastMemory} ]; then
    fail "OpenSearch needs a memory limit of at least 1Gi, and has $((MEMORY_LIMIT / 1048576))Mi: raise the service's memory."
  fi
  heap=$((MEMORY_LIMIT / 2))
  if [ "$heap" -gt ${largestHeap} ]; then heap=${largestHeap}; fi
fi
if [ -z "\${JAVA_HOME:-}" ] && [ ! -d "$home/jdk" ] && [ ! -d "$home/jre" ]; then
  java=$(command -v java) || fail "OpenSearch needs Java, and there is none in $home or on PATH."
  java=$(realpath "$java")
  export JAVA_HOME="\${java%/bin/java}"
fi
conf=$scratch/config
rm -rf "$conf"
cp -R "$home/config" "$conf"
chmod -R u+rwX "$conf"
mkdir -p "$scratch/logs"
# Files that would land beside the programs, or on the volume and fill it.
sed -e '/logs\\//d' -e '/HeapDump/d' "$home/config/jvm.options" >"$conf/jvm.options"
cat >"$conf/opensearch.yml" <<END
${settings}END
maps=$(cat /proc/sys/vm/max_map_count 2>/dev/null || echo ${neededMaps})
if [ "$maps" -lt ${neededMaps} ]; then
  echo "vm.max_map_count is $maps on this machine, less than ${neededMaps}: OpenSearch reads its files without mapping them, which is slower." >&2
  echo 'node.store.allow_mmap: false' >>"$conf/opensearch.yml"
fi
if [ "\${DISABLE_SECURITY_PLUGIN:-}" = true ]; then
  echo 'The security plugin is disabled: whoever reaches this OpenSearch may do everything.' >&2
  if [ -d "$home/plugins/opensearch-security" ]; then echo 'plugins.security.disabled: true' >>"$conf/opensearch.yml"; fi
else
  tools=$home/plugins/opensearch-security/tools
  if [ ! -e "$tools/hash.sh" ]; then
    fail "This OpenSearch has no security plugin, so it would have no passwords: use the full distribution, the image opensearchproject/opensearch."
  fi
  jdk=\${JAVA_HOME:-$home/jdk}
  STORE_PASSWORD=$(head -c 16 /dev/urandom | od -An -v -tx1 | tr -d ' \\n')
  export STORE_PASSWORD
  keytool() { "$jdk/bin/keytool" "$@" -storetype PKCS12 -storepass:env STORE_PASSWORD -alias node; }
  keytool -genkeypair -keystore "$conf/node.p12" -keyalg EC -groupname secp256r1 -dname CN=opensearch -validity 36500
  keytool -exportcert -keystore "$conf/node.p12" -file "$conf/node.crt"
  keytool -importcert -keystore "$conf/trust.p12" -file "$conf/node.crt" -noprompt
  hash=$(JAVA_HOME=$jdk bash "$tools/hash.sh" -env OPENSEARCH_PASSWORD | grep '^\\$2') || fail 'The hash of the password could not be made.'
  cat >>"$conf/opensearch.yml" <<END
${securitySettings}END
  cat >"$conf/opensearch-security/config.yml" <<'END'
${securityConfig}END
  cat >"$conf/opensearch-security/internal_users.yml" <<END
${internalUsers}END
  cat >"$conf/opensearch-security/roles_mapping.yml" <<END
${rolesMapping}END
fi
unset OPENSEARCH_PASSWORD STORE_PASSWORD
export OPENSEARCH_HOME="$home" OPENSEARCH_PATH_CONF="$conf" OPENSEARCH_TMPDIR="$scratch"
export OPENSEARCH_JAVA_OPTS="-Xms$((heap / 1048576))m -Xmx$((heap / 1048576))m -XX:ErrorFile=$scratch/logs/hs_err_pid%p.log -Dopensearch.cgroups.hierarchy.override=/"
exec "$home/bin/opensearch"`;

/** Asks over HTTP. The credentials go to curl by its input, so that they are no argument. */
const request = (path: string, options: string): string =>
  `printf 'user = "%s:%s"\\n' "$OPENSEARCH_USERNAME" "$OPENSEARCH_PASSWORD" | curl -K - -s ${options} -o /dev/null --max-time 4 http://127.0.0.1:${httpPort}${path}`;

/** A node that has joined its cluster, and an administrator who may log in: before, the security plugin answers 503. */
export const acceptsRequests = ['sh', '-c', request('/_cluster/health?local=true', '-f')];
/** Any answer at all, refusals too: a server that is busy or not yet set up is not to be killed. */
export const isAlive = ['sh', '-c', `curl -s -o /dev/null --max-time 8 http://127.0.0.1:${httpPort}/`];
