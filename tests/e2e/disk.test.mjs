// The hub's disk is full, or read-only, and becomes usable again: publishers notice, nothing acknowledged is lost.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { withWorld, until, skerry, hubAddress } from './world.mjs';

const routes = { up: 'FROM /messages/modules/bulk/outputs/output1 INTO $upstream' };

// A world whose hub keeps its state on a small disk of its own, and a module that sends as fast as it is acknowledged.
async function withSmallDisk(name, body) {
  await withWorld(name, async (world) => {
    const disk = path.join(world.root, 'disk');
    fs.mkdirSync(disk);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=48m,mode=0700', 'tmpfs', disk]);
    try {
      world.nodeBundle('skerry/bulk', 'bulk.mjs');
      world.nodeBundle('skerry/relay', 'relay.mjs');
      await world.startCloud();
      world.createDevice();
      world.deploy({ routes, hubEnv: { StorageFolder: { value: disk } },
        modules: { bulk: world.module('skerry/bulk', { env: { LEDGER: world.ledger('bulk') }, startupOrder: 1 }),
          relay: world.module('skerry/relay', { env: { LEDGER: world.ledger('relay') }, startupOrder: 1 }) } });
      await world.startDaemon();
      await world.untilRunning('edgeAgent', 'edgeHub', 'bulk', 'relay');
      await until('the relay has its twin', () => world.lines('relay', 'twin').length > 0);
      await until('messages arrive', () => world.events('bulk').length > 5, 40);
      assert.ok(fs.existsSync(path.join(disk, 'edgeHub/queue')), 'StorageFolder is where the messages are');
      await body(world, disk);
    } finally {
      execFileSync('umount', ['-l', disk]);
    }
  });
}

const acknowledged = (world) => world.lines('bulk', 'sent');
const hubLog = (world) => world.moduleLog('edgeHub');

function fill(file) {
  const descriptor = fs.openSync(file, 'w');
  const chunk = Buffer.alloc(64 * 1024);
  try {
    for (;;) fs.writeSync(descriptor, chunk);
  } catch (error) {
    assert.equal(error.code, 'ENOSPC');
  } finally {
    fs.closeSync(descriptor);
  }
}

async function untilAllArrived(world, what) {
  // What was acknowledged until now: the module goes on.
  const sent = acknowledged(world);
  let missing;
  try {
    await until(`${what}: every acknowledged message arrived`, () => {
      const arrived = new Set(world.events('bulk').map((event) => event.messageId));
      missing = sent.filter((id) => !arrived.has(id));
      return missing.length === 0;
    }, 90);
  } finally {
    console.log(`${what}: ${sent.length} acknowledged, ${missing?.length} lost`);
  }
}

test('a disk that is full stops acknowledgements, not the hub; when there is space they go on by themselves', async () => {
  await withSmallDisk('fulldisk', async (world, disk) => {
    const hub = world.pid('hub');
    await world.stopCloud('SIGKILL');
    const filler = path.join(disk, 'filler');
    fill(filler);
    await until('the hub says why', () => /Messages can't be stored.*(reserve|space)/.test(hubLog(world)), 60);
    const stopped = acknowledged(world).length;
    await new Promise((resolve) => setTimeout(resolve, 3000));
    assert.equal(acknowledged(world).length, stopped, 'nothing is acknowledged that is not stored');
    // Its subscriptions and its twin would be stored on the same disk.
    const twins = world.lines('relay', 'twin').length;
    await world.request('POST', '/modules/relay/restart');
    await new Promise((resolve) => setTimeout(resolve, 2000));
    assert.equal(world.pid('hub'), hub);
    fs.rmSync(filler);
    await until('acknowledgements go on', () => acknowledged(world).length > stopped + 20, 120);
    await until('a module that has come anew is served', () => world.lines('relay', 'twin').length > twins, 60);
    assert.equal(world.pid('hub'), hub, 'it is the same process');
    await world.startCloud();
    await untilAllArrived(world, 'full disk');
    assert.equal(world.pid('hub'), hub);
  });
});

test('a disk that has become read-only costs nothing that was acknowledged', async () => {
  await withSmallDisk('readonly', async (world, disk) => {
    await world.stopCloud('SIGKILL');
    const before = acknowledged(world).length;
    await until('something is stored', () => acknowledged(world).length > before + 50);
    // A file system that is being written to can't be made read-only from outside; its hub has to die first.
    await until('the disk is read-only', () => {
      for (const pid of world.pids('hub')) process.kill(pid, 'SIGKILL');
      return spawnSync('mount', ['-o', 'remount,ro', disk]).status === 0;
    });
    const start = () => world.request('POST', '/modules/edgeHub/start');
    await until('the hub says why it can not start', async () => {
      await start();
      return /can't start.*(Read-only|readonly)/i.test(hubLog(world));
    }, 60);
    const stopped = acknowledged(world).length;
    execFileSync('mount', ['-o', 'remount,rw', disk]);
    await until('acknowledgements go on', async () => {
      await start();
      return acknowledged(world).length > stopped + 20;
    }, 120);
    await world.startCloud();
    await untilAllArrived(world, 'read-only disk');
  });
});

test('a hub without StorageFolder says loudly, and once, where its state is', async () => {
  await withWorld('nofolder', async (world) => {
    const { stdout, stderr } = spawnSync(skerry, ['hub'], { cwd: world.root, encoding: 'utf8', timeout: 3000,  // it waits for its daemon
      env: { IOTEDGE_DEVICEID: 'edge-1', IOTEDGE_MODULEID: '$edgeHub', IOTEDGE_MODULEGENERATIONID: '1',
        IOTEDGE_IOTHUBHOSTNAME: 'hub.example', EDGEDEVICEHOSTNAME: hubAddress,
        IOTEDGE_WORKLOADURI: `unix://${path.join(world.root, 'none.sock')}` } });
    const said = (stdout + stderr).split('\n').filter((line) => line.includes('StorageFolder is not set'));
    assert.equal(said.length, 1, stdout + stderr);
    assert.ok(said[0].includes(path.join(world.root, 'edgeHub')), said[0]);
  });
});
