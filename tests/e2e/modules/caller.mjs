// A module of the npm SDK that calls methods of others through the hub, as the file CALLS asks: one JSON line
// [deviceId, moduleId or null, {methodName, payload, …}] each. The answers go to LEDGER.
import fs from 'node:fs';
import device from 'azure-iot-device';
import mqtt from 'azure-iot-device-mqtt';

const note = (line) => fs.appendFileSync(process.env.LEDGER, `${line}\n`);
const client = await device.ModuleClient.fromEnvironment(mqtt.Mqtt);
await client.open();

const invoke = (deviceId, moduleId, call) =>
  (moduleId ? client.invokeMethod(deviceId, moduleId, call) : client.invokeMethod(deviceId, call));
for (const [index, line] of fs.readFileSync(process.env.CALLS, 'utf8').split('\n').filter(Boolean).entries()) {
  try {
    const { status, payload } = await invoke(...JSON.parse(line));
    note(`answer ${JSON.stringify({ index, status, payload })}`);
  } catch (error) {
    note(`answer ${JSON.stringify({ index, error: error.name, code: error.response?.statusCode })}`);
  }
}
