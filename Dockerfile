# Every service's image: docker build --build-arg SERVICE=simple-producer .
#
# There is no build step: Node runs the TypeScript as it is. Node refuses to do so below node_modules, so the image keeps the
# workspace's layout (the packages are symbolic links to packages/*) where `pnpm deploy` would copy them into node_modules.
FROM node:24-slim AS pnpm
WORKDIR /app
ENV npm_config_loglevel=error
COPY package.json ./
# The version is the one of "packageManager".
RUN npm install --global "$(node --print 'require("./package.json").packageManager')"

# The dependencies of all services at once, in a layer that changes with the lockfile only.
FROM pnpm AS dependencies
COPY pnpm-lock.yaml pnpm-workspace.yaml ./
COPY patches patches
RUN pnpm fetch --prod && rm -rf node_modules

# One service: its own dependencies and those of the packages that it uses, without the development ones.
FROM dependencies AS service
ARG SERVICE
COPY . .
RUN pnpm install --offline --frozen-lockfile --prod --filter-prod "@kafka-pattern/$SERVICE..." \
 && mv "services/$SERVICE" /tmp/service && rm -rf services scripts && mkdir services && mv /tmp/service "services/$SERVICE"

FROM node:24-slim
ARG SERVICE
ENV NODE_ENV=production
WORKDIR /app/services/$SERVICE
COPY --from=service /app /app
USER node
# Asked with bash's own sockets: a Node process for each check would cost more than the service itself does when idle.
HEALTHCHECK --interval=2s --timeout=3s --start-period=60s --retries=5 \
  CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/$PROBE_PORT && printf 'GET /readyz HTTP/1.0\\r\\n\\r\\n' >&3 && read -r _ status _ <&3 && [ \"$status\" = 200 ]"]
CMD ["node", "src/main.ts"]
