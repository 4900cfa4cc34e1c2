# syntax=docker/dockerfile:1
# Built in three stages: compile, then the dependencies of production alone, then a small image that runs as nobody special.

FROM node:24-alpine AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
COPY tools ./tools
# The image brings its own Node, so the one for development stays out; esbuild's program is an optional dependency of it.
RUN npm ci --workspaces=false
COPY tsconfig.json tsconfig.build.json ./
COPY src ./src
RUN npm run build

FROM node:24-alpine AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --workspaces=false && npm cache clean --force

FROM node:24-alpine
WORKDIR /app
ENV NODE_ENV=production BACKPRESSURE_CONFIG=/etc/backpressure/backpressure.yaml BACKPRESSURE_DATA=/var/lib/backpressure
COPY --from=dependencies /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
COPY package.json LICENSE ./
COPY docker/backpressure.yaml /etc/backpressure/backpressure.yaml
# What the server keeps, whatever configuration is mounted, unless that names another folder: mount a volume here, or a
# container that is made anew has forgotten its leases and cards. Any user of the group 0 may write, since OpenShift and its
# like choose the user themselves.
RUN install -d -o node -g 0 -m 0770 /var/lib/backpressure
VOLUME /var/lib/backpressure
USER node
# gRPC; Connect and gRPC-Web.
EXPOSE 50051 8080
# `health` asks grpc.health.v1 where BACKPRESSURE_CONFIG and BACKPRESSURE_GRPC_LISTEN have the server listen, and exits with 0 while the server serves.
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s CMD ["node", "dist/cli/main.js", "health"]
# See "A collector that keeps up" in docs/decisions.md.
ENTRYPOINT ["node", "--max-semi-space-size=4", "--no-memory-reducer", "--no-allocation-site-pretenuring", "dist/cli/main.js"]
CMD ["serve"]
