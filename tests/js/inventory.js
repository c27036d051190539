// Every method of both SDKs, a line each.

import { INVENTORY } from "./sdks.js";

console.log(INVENTORY.join("\n"));
