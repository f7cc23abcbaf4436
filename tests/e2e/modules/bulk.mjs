// A module that sends as fast as it is acknowledged: 8 KiB a message, each acknowledgement on the ledger.
import fs from 'node:fs';
import device from 'azure-iot-device';
import mqtt from 'azure-iot-device-mqtt';

const { ModuleClient, Message } = device;
const note = (line) => fs.appendFileSync(process.env.LEDGER, `${line}\n`);
const body = Buffer.alloc(8 * 1024, 'x');

const client = await ModuleClient.fromEnvironment(mqtt.Mqtt);
await client.open();
note('ready');
const run = process.pid;
for (let n = 0; ; ++n) {
  const message = new Message(body);
  message.messageId = `${run}-${n}`;
  try {
    await client.sendOutputEvent('output1', message);
    note(`sent ${message.messageId}`);
  } catch (error) {
    note(`error ${error.message}`);
  }
  await new Promise((resolve) => setTimeout(resolve, 10));
}
