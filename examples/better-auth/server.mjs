// node server.mjs: better-auth's API at http://localhost:3000/api/auth

import { createServer } from "node:http";
import { toNodeHandler } from "better-auth/node";
import { auth } from "./auth.mjs";

const port = Number(new URL(auth.options.baseURL).port || 3000);
createServer(toNodeHandler(auth)).listen(port, () => console.log(`better-auth: ${auth.options.baseURL}/api/auth`));
