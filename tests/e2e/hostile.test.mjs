// A module that means ill harms nobody else: what is another's is refused, its floods are its own trouble.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { withWorld, until, untilAllArrived, hubAddress, sensorToFilter, filterToCloud } from './world.mjs';

const openFiles = (pid) => fs.readdirSync(`/proc/${pid}/fd`).length;
const kilobytes = (pid) => Number(/^Pss:\s+(\d+)/m.exec(fs.readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))[1]);

test('a hostile module gets nothing of others, and its floods harm nobody else', async () => {
  await withWorld('hostile', async (world) => {
    await world.startCloud();
    world.createDevice();
    world.nodeBundle('test/hostile', 'hostile.mjs');
    const sockets = path.join(world.root, 'edge', 'mnt');
    const hostile = world.module('test/hostile', { env: { LEDGER: world.ledger('hostile'), SOCKETS: sockets,
      MANAGEMENT: world.management, IOTEDGE_GATEWAYHOSTNAME: hubAddress } });
    const good = { sensor: world.module('skerry/sensor', { env: { SKERRY_LEDGER: world.ledger('sensor') } }),
      filter: world.module('skerry/filter', { env: { SKERRY_LEDGER: world.ledger('filter') } }) };
    const twins = { sensor: { SendInterval: 0.02 }, filter: { TemperatureThreshold: 0 } };
    const routes = { sensorToFilter, filterToCloud };
    world.deploy({ routes, modules: good, twins });
    await world.startDaemon();
    await world.untilRunning('edgeAgent', 'edgeHub', 'sensor', 'filter');
    await until('messages flow', () => world.events('filter').length > 20, 60);
    const daemon = world.daemon.pid;
    const hub = world.pid('hub');
    const before = { daemon: kilobytes(daemon), hub: kilobytes(hub) };

    world.deploy({ routes, modules: { ...good, hostile }, twins });
    await until('it has asked for everything', () => world.lines('hostile', 'own').length && fs.readFileSync(
      world.ledger('hostile'), 'utf8').includes('refused'), 60);
    assert.deepEqual(world.lines('hostile', 'own'), ['200']);
    for (const line of world.lines('hostile', 'asked')) assert.match(line, /^\S+( 40[034]){4}$/, line);
    assert.ok(world.lines('hostile', 'asked').length >= 6);
    assert.ok(world.lines('hostile', 'socket').length >= 4);
    for (const status of world.lines('hostile', 'socket')) assert.equal(status, '403');
    for (const status of world.lines('hostile', 'managed')) assert.equal(status, '403');

    const most = { daemonFiles: 0, hubFiles: 0, daemon: 0, hub: 0, answer: 0 };
    const began = Date.now();
    let restarted = false;
    await until('it has flooded', async () => {
      const asked = Date.now();
      await world.modules();
      most.answer = Math.max(most.answer, Date.now() - asked);
      most.daemonFiles = Math.max(most.daemonFiles, openFiles(daemon));
      most.hubFiles = Math.max(most.hubFiles, openFiles(hub));
      most.daemon = Math.max(most.daemon, kilobytes(daemon) - before.daemon);
      most.hub = Math.max(most.hub, kilobytes(hub) - before.hub);
      if (!restarted && Date.now() - began > 2000) {
        restarted = true;  // somebody who has to get in, in the middle of it
        await world.request('POST', '/modules/sensor/restart');
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
      return fs.readFileSync(world.ledger('hostile'), 'utf8').includes('flooded');
    }, 240);
    console.error(`# most at one time: ${JSON.stringify(most)}; ${world.lines('hostile', 'crowd').join(', ')}`);
    assert.ok(most.daemonFiles < 200, `${most.daemonFiles} files of the daemon`);
    assert.ok(most.hubFiles < 600, `${most.hubFiles} files of the hub`);
    assert.ok(most.daemon < 20_000, `${most.daemon} KB more in the daemon`);
    assert.ok(most.hub < 60_000, `${most.hub} KB more in the hub`);
    assert.ok(most.answer < 3000, `${most.answer} ms for an answer of the management API`);
    assert.ok(fs.statSync(world.log('daemon')).size < 1_000_000, 'the daemon\'s log');

    // Nobody fell over, nobody lost anything, and who starts anew gets in.
    assert.equal(world.pid('hub'), hub);
    assert.equal(world.daemon.exitCode, null);
    await untilAllArrived(world, 50);
  });
});
