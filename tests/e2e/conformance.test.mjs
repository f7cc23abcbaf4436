// What SDKs of other languages send gets the answers that they expect, and ordinary MQTT clients get in, too.
import assert from 'node:assert/strict';
import { spawn, execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { withWorld, hubAddress, cloudAddress, repository } from './world.mjs';
import { replay, sasToken } from './replay.mjs';

const folder = path.join(repository, 'tests/conformance');
const recordings = fs.readdirSync(folder).filter((name) => name.endsWith('.json'))
  .map((name) => [name.replace('.json', ''), JSON.parse(fs.readFileSync(path.join(folder, name), 'utf8'))]);

async function startHub(world, modules, routes = {}) {
  await world.startCloud();
  world.createDevice();
  for (const name of modules) world.cloudCli('module', 'create', world.device, name);
  world.deploy({
    routes: {
      ...Object.fromEntries(modules.flatMap((name) => [
        [name, `FROM /messages/modules/${name}/outputs/loop INTO BrokeredEndpoint("/modules/${name}/inputs/in")`],
        [`${name}-up`, `FROM /messages/modules/${name}/outputs/up INTO $upstream`]])),
      devices: 'FROM /messages/* WHERE NOT is_defined($connectionModuleId) INTO $upstream',
      ...routes,
    },
  });
  await world.startDaemon();
  await world.untilRunning('edgeAgent', 'edgeHub');
  await world.untilHubListens();
}

const keyOf = (text) => JSON.parse(text).authentication.symmetricKey.primaryKey;

test('what the SDKs of C, C#, Java, Node.js and Python send is answered as they expect', async () => {
  assert.ok(recordings.length >= 11);
  const modules = recordings.filter(([, { connect }]) => connect.client === 'module').map(([name]) => name);
  await withWorld('conformance', async (world) => {
    await startHub(world, modules);
    for (const [name, recording] of recordings) {
      const module = recording.connect.client === 'module' ? name : undefined;
      if (!module) world.cloudCli('device', 'create', name, '--parent', world.device);
      const key = keyOf(world.cloudCli(module ? 'module' : 'device', 'show', ...(module ? [world.device] : []), name));
      try {
        await replay(world, recording, { device: module ? world.device : name, module, key });
      } catch (error) {
        error.message = `${name}: ${error.message}`;
        throw error;
      }
    }
  });
});

// Output of a program that ends by itself, as it comes to an end.
const output = (child) => new Promise((resolve, reject) => {
  let text = '';
  child.stdout.on('data', (piece) => { text += piece; });
  child.on('error', reject);
  child.on('close', (code) => (code === 0 ? resolve(text) : reject(new Error(`${child.spawnargs[0]} ended with ${code}: ${text}`))));
});

// With Debian's Python, which has Debian's paho.
const paho = `
import ssl, sys
import paho.mqtt.client as mqtt
host, ca, client_id, user, password, prefix = sys.argv[1:]
got = []
client = mqtt.Client(client_id=client_id, clean_session=True, protocol=mqtt.MQTTv311)
client.username_pw_set(user, password)
client.tls_set(ca_certs=ca, tls_version=ssl.PROTOCOL_TLS_CLIENT)
def connected(client, data, flags, code):
    assert code == 0, code
    client.subscribe(prefix + '/inputs/#', 1)
def subscribed(client, data, id, granted):
    for n in range(20):
        client.publish(prefix + '/messages/events/%24.on=loop&n=' + str(n), 'paho ' + str(n), 1)
def message(client, data, message):
    got.append(message.payload.decode())
    if len(got) == 20: client.disconnect()
client.on_connect, client.on_subscribe, client.on_message = connected, subscribed, message
client.connect(host, 8883, 30)
client.loop_forever()
print('\\n'.join(got))
`;

test('mosquitto_pub, mosquitto_sub and paho connect with a SAS token and verify the certificate', async () => {
  await withWorld('clients', async (world) => {
    await startHub(world, ['sub', 'paho'], { fromPub: 'FROM /messages/modules/pub/* INTO BrokeredEndpoint("/modules/sub/inputs/in")' });
    world.cloudCli('module', 'create', world.device, 'pub');
    const account = (module) => {
      const key = keyOf(world.cloudCli('module', 'show', world.device, module));
      return { id: `${world.device}/${module}`, user: `${cloudAddress}/${world.device}/${module}/?api-version=2021-04-12`,
        password: sasToken(`${cloudAddress}/devices/${world.device}/modules/${module}`, key) };
    };
    const ca = path.join(world.root, 'edge', 'keys', 'edge-ca.pem');
    const options = (module) => {
      const { id, user, password } = account(module);
      return ['-h', hubAddress, '-p', '8883', '--cafile', ca, '-i', id, '-u', user, '-P', password, '-V', 'mqttv311', '-q', '1'];
    };
    const subscriber = spawn('stdbuf', ['-oL', 'mosquitto_sub', ...options('sub'), '-t', `devices/${world.device}/modules/sub/inputs/#`, '-C', '3',
      '-W', '20', '-F', '%p', '-d'], { stdio: ['ignore', 'pipe', 'inherit'] });
    const printed = output(subscriber);
    await new Promise((resolve) => subscriber.stdout.on('data', (piece) => { if (/SUBACK/.test(piece)) resolve(); }));
    for (const text of ['one', 'two', 'three'])
      execFileSync('mosquitto_pub', [...options('pub'), '-t', `devices/${world.device}/modules/pub/messages/events/`, '-m', text],
        { timeout: 20000 });
    assert.match(await printed, /one[^]*two[^]*three/);

    const { id, user, password } = account('paho');
    const lines = (await output(spawn('/usr/bin/python3', ['-c', paho, hubAddress, ca, id, user, password,
      `devices/${world.device}/modules/paho`], { stdio: ['ignore', 'pipe', 'inherit'] }))).trim().split('\n');
    assert.deepEqual(lines, [...Array(20).keys()].map((n) => `paho ${n}`));
  });
});
