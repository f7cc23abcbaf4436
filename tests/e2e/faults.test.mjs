// What is acknowledged arrives, whatever is killed: hub, cloud, daemon, agent, or everything at once.
import assert from 'node:assert/strict';
import test from 'node:test';
import { withWorld, until, long, sensorToCloud, sensorToFilter, filterToCloud } from './world.mjs';

// The sensor's messages go both ways: straight to the cloud, and through the filter.
const routes = { direct: sensorToCloud, toFilter: sensorToFilter, fromFilter: filterToCloud };

function bothWays(world, interval = 0.02) {
  return {
    routes,
    modules: {
      sensor: world.module('skerry/sensor', { env: { SKERRY_LEDGER: world.ledger('sensor') }, startupOrder: 2 }),
      filter: world.module('skerry/filter', { env: { SKERRY_LEDGER: world.ledger('filter') }, startupOrder: 1 }),
    },
    twins: { sensor: { SendInterval: interval }, filter: { TemperatureThreshold: 25 } },
  };
}

async function started(world, interval, durability) {
  await world.startCloud();
  world.createDevice();
  const hubEnv = durability ? { SKERRY_DURABILITY: { value: durability } } : {};
  world.deploy({ ...bothWays(world, interval), hubEnv });
  await world.startDaemon();
  await world.untilRunning('edgeAgent', 'edgeHub', 'sensor', 'filter');
  await until('messages arrive both ways', () => world.events('sensor').length > 5 && world.events('filter').length > 2, 40);
}

function counted(ids) {
  const counts = new Map();
  for (const id of ids) counts.set(id, (counts.get(id) ?? 0) + 1);
  return counts;
}

// Stops the sensor, waits until everything acknowledged is accounted for, and asserts that nothing is missing.
async function settle(world, what) {
  world.updateTwin('sensor', { SendData: false });
  const missing = () => {
    const direct = counted(world.events('sensor').map((event) => event.messageId));
    const filtered = counted(world.events('filter').map((event) => event.messageId));
    const handled = new Set([...world.lines('filter', 'passed'), ...world.lines('filter', 'dropped')]);
    const sent = world.lines('sensor', 'sent');
    return {
      sent: sent.length, direct, filtered,
      notDirect: sent.filter((id) => !direct.has(id)),
      notHandled: sent.filter((id) => !handled.has(id)),
      notFiltered: world.lines('filter', 'passed').filter((id) => !filtered.has(id)),
    };
  };
  let last;
  try {
    await until(`${what}: every acknowledged message arrived`, () => {
      last = missing();
      return !last.notDirect.length && !last.notHandled.length && !last.notFiltered.length;
    }, 60);
  } finally {
    const copies = (map) => [...map.values()].reduce((sum, count) => sum + count - 1, 0);
    console.log(`${what}: ${last.sent} acknowledged; lost: ${last.notDirect.length} sensor → cloud, ` +
      `${last.notHandled.length} sensor → filter, ${last.notFiltered.length} filter → cloud; ` +
      `duplicates: ${copies(last.direct)} sensor → cloud, ${copies(last.filtered)} filter → cloud`);
  }
  assert.ok(last.sent > 0);
  return last;
}

async function killTheHub(kills, durability) {
  await withWorld('killhub', async (world) => {
    await started(world, undefined, durability);
    for (let kill = 0; kill < kills; ++kill) {
      const before = world.lines('sensor', 'sent').length;
      const killed = await until('the hub runs', () => world.pid('hub'));
      process.kill(killed, 'SIGKILL');
      // As an operator would who does not want to wait out the back-off of a module that dies again and again. A start
      // that comes before the daemon has seen the end changes nothing.
      await until('the hub is started', async () => {
        const { status } = await world.request('POST', '/modules/edgeHub/start');
        return status === 204 && world.pid('hub') !== killed;
      });
      await until(`messages are acknowledged again after kill ${kill + 1}`,
        () => world.lines('sensor', 'sent').length > before + 20, 60);
    }
    const result = await settle(world, `${kills} kills of the hub (${durability ?? 'disk'})`);
    // A duplicate is a message whose acknowledgement was on its way when the hub died: no more than what was in flight.
    const window = 200;
    // One may be stored again in each later life of the hub (its sender heard nothing), and what is stored may be sent again
    // in each later one (the hub heard nothing): a triangle.
    const most = (kills + 1) * (kills + 2) / 2;
    for (const way of ['direct', 'filtered']) {
      for (const [id, copies] of result[way]) assert.ok(copies <= most, `${way}: ${copies} copies of ${id}, ${kills} kills`);
    }
    assert.ok([...result.direct.values()].filter((copies) => copies > 1).length <= kills * window);
  });
}

test('the hub is killed ten times in mid-stream: every acknowledged message arrives', () => killTheHub(long ? 100 : 10));

test('also when an acknowledgement says no more than that a message survives the process', () => killTheHub(5, 'os'));

test('the cloud is away for 20 s: messages wait on disk and arrive', async () => {
  await withWorld('cloudaway', async (world) => {
    await started(world);
    await world.stopCloud('SIGKILL');
    const before = world.lines('sensor', 'sent').length;
    const away = Date.now();
    await until('the sensor is acknowledged while the cloud is away', () => world.lines('sensor', 'sent').length > before + 50);
    await new Promise((resolve) => setTimeout(resolve, 20000 - (Date.now() - away)));
    const modules = await world.modules();
    for (const name of ['edgeAgent', 'edgeHub', 'sensor', 'filter']) assert.equal(modules[name].state, 'running');
    await world.startCloud();
    await settle(world, 'cloud away for 20 s');
  });
});

test('everything is killed and boots with the cloud away: modules run, messages arrive later', async () => {
  await withWorld('poweroff', async (world) => {
    await started(world);
    await world.stopCloud('SIGKILL');
    await until('something is stored', () => world.lines('sensor', 'sent').length > 100);
    await world.powerOff();
    const before = world.lines('sensor', 'sent').length;
    await world.startDaemon();
    await world.untilRunning('edgeAgent', 'edgeHub', 'sensor', 'filter');
    await until('messages are acknowledged after the boot', () => world.lines('sensor', 'sent').length > before + 50, 30);
    await world.startCloud();
    await settle(world, 'power off and boot without the cloud');
  });
});

test('daemon and agent are killed under load: no module restarts, none runs twice, the workload API is back in 2 s', async () => {
  await withWorld('killdaemon', async (world) => {
    await started(world);
    const before = Object.fromEntries(['hub', 'sensor', 'filter'].map((word) => [word, world.pid(word)]));

    await world.killDaemon();
    const down = Date.now();
    await world.startDaemon();
    const { body } = await world.request('GET', '/modules');
    assert.ok(Date.now() - down < 2000, `the daemon took ${Date.now() - down} ms`);
    assert.equal(body.modules.length, 4);
    const sent = world.lines('sensor', 'sent').length;
    await until('messages flow', () => world.lines('sensor', 'sent').length > sent + 50);

    const agent = world.pid('agent');
    process.kill(agent, 'SIGKILL');
    await until('a new agent runs', () => world.pids('agent').length === 1 && world.pid('agent') !== agent);
    await world.untilRunning('edgeAgent');
    const again = world.lines('sensor', 'sent').length;
    await until('messages flow', () => world.lines('sensor', 'sent').length > again + 50);
    // A new connection needs a token, and the token the workload API: the hub's restart proves it for both.
    for (const [word, pid] of Object.entries(before)) assert.deepEqual(world.pids(word), [pid], `${word} ran on, once`);

    process.kill(before.sensor, 'SIGKILL');
    await until('the killed sensor is started again, by the new agent and daemon', () => {
      const pids = world.pids('sensor');
      return pids.length === 1 && pids[0] !== before.sensor;
    }, 30);
    const last = world.lines('sensor', 'sent').length;
    await until('its messages are acknowledged', () => world.lines('sensor', 'sent').length > last + 50);
    await settle(world, 'daemon and agent killed');
  });
});
