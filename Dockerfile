# The image of each service of docker-compose.yml: docker build --build-arg SERVICE=simple-producer .
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
# The probes as the check below and the published port need them.
ENV NODE_ENV=production PROBE_HOST=0.0.0.0 PROBE_PORT=9100 NODE_COMPILE_CACHE=/var/cache/compiled
WORKDIR /app/services/$SERVICE
COPY --from=service /app /app
RUN install --directory --owner=node "$NODE_COMPILE_CACHE"
USER node
# Its types are stripped and its modules compiled here, once, and not at each start: a service that refuses its settings has loaded them, and
# exits with 78 before it does anything. For this user, and for processors like this one; others do it at each start.
RUN LOG_LEVEL=refused node src/main.ts; [ $? = 78 ]
COPY infra/healthcheck.sh /usr/local/bin/healthcheck.sh
HEALTHCHECK --interval=1s --timeout=60s --retries=2 CMD ["bash", "/usr/local/bin/healthcheck.sh"]
CMD ["node", "src/main.ts"]
