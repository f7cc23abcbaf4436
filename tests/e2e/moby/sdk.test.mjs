// A module as its users write it, on Node.js and the unmodified SDK, in a container: everything it knows comes from its
// environment and the workload socket.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { repository, sensorToFilter, until } from '../world.mjs';
import { suite } from './containers.mjs';

const sensorToRelay = sensorToFilter.replace('filter', 'relay');
const relayToCloud = 'FROM /messages/modules/relay/outputs/output1 INTO $upstream';

// The files of node_modules that the SDK loads, and the package.json that say where they are: a tenth of what is there.
function filesOfSdk(folder) {
  const require = createRequire(path.join(folder, 'modules/relay.mjs'));
  for (const name of ['azure-iot-device', 'azure-iot-device-mqtt', 'mqtt']) require(name);
  const files = new Set(Object.keys(require.cache).filter((file) => file.includes('/node_modules/')));
  for (const file of [...files]) {
    for (let at = path.dirname(file); path.basename(at) !== 'node_modules'; at = path.dirname(at)) {
      if (fs.existsSync(path.join(at, 'package.json'))) files.add(path.join(at, 'package.json'));
    }
  }
  return [...files].map((file) => path.relative(folder, file));
}

const check = suite('moby-sdk', async (world) => {
  const folder = path.join(repository, 'tests/e2e');
  const files = ['modules/relay.mjs', ...filesOfSdk(folder)];
  await world.engine.importImage('test/relay', {
    programs: { '/bin/node': process.execPath },
    files: Object.fromEntries(files.map((file) => [path.join('/app', file), path.join(folder, file)])),
    entrypoint: ['/bin/node', '/app/modules/relay.mjs'],
  });
  await world.startCloud();
  world.createDevice();
  const relay = world.accountant('test/relay', 'relay');
  relay.env.LEDGER = { value: '/ledgers/relay.ledger' };
  world.deploy({ routes: { sensorToRelay, relayToCloud }, modules: { relay, sensor: world.accountant('skerry/sensor', 'sensor') },
    twins: { sensor: { SendInterval: 0.05 }, relay: { greeting: 'good morning' } } });
  await world.startDaemon();
  await world.untilRunning('edgeAgent', 'edgeHub', 'sensor', 'relay');
  await until('the module is ready', () => world.lines('relay', 'got').length > 0, 60);
});

async function untilAllArrived(world, more) {
  const enough = world.lines('relay', 'sent').length + more;
  await until('the module sends on', () => world.lines('relay', 'sent').length >= enough, 60);
  const sent = world.lines('relay', 'sent');
  await until('all of it is in the cloud', () => {
    const known = new Set(world.events('relay').map(({ messageId }) => messageId));
    return sent.every((id) => known.has(id));
  }, 60);
}

check('ModuleClient.fromEnvironment in a container: messages through the hub to the cloud', async (world) => {
  await untilAllArrived(world, 20);
  const [event] = world.events('relay');
  assert.equal(event.properties.via, 'input1');
  assert.deepEqual(world.lines('relay', 'error'), []);
});

check('its twin comes and goes', async (world) => {
  assert.deepEqual(world.lines('relay', 'twin'), ['"good morning"']);
  await until('its reported properties are in the cloud', () => world.twin('relay').properties.reported.relay?.ready === true);
  world.updateTwin('relay', { greeting: 'good night' });
  await until('the change is there', () => world.lines('relay', 'desired').includes('"good night"'));
});

check('a direct method is answered', async (world) => {
  const answer = await until('the method is answered', () => JSON.parse(world.cloudCli('method', 'invoke', world.device, 'relay',
    'echo', '{"n":1}', '--json')), 30);
  assert.deepEqual([answer.status, answer.payload], [200, { echoed: { n: 1 } }]);
});

check('it goes on by itself when the hub was replaced', async (world) => {
  const { Id } = await world.engine.inspect('edgeHub');
  await world.engine.tag('skerry/hub:latest', 'skerry/hub', 'next');
  world.updateTwin('$edgeAgent', { systemModules: { edgeHub: { settings: { image: 'skerry/hub:next' } } } });
  await until('the hub is another', async () => {
    const now = await world.engine.inspect('edgeHub');
    return now.Id !== Id && now.State.Running;
  }, 60);
  await untilAllArrived(world, 20);
});
