# syntax=docker/dockerfile:1
# The daemon as an image: `docker build -t weir .`, or on Bun: `docker build --target bun -t weir:bun .`
# docs/production.md says how it is run.

FROM node:20.20.2-bookworm-slim AS build
WORKDIR /weir
# Packages change less often than sources.
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund
COPY build.mjs ./
COPY bin ./bin
COPY src ./src
COPY actors ./actors
COPY fixtures ./fixtures
RUN npm run build

FROM oven/bun:1.4.2-slim AS bun
ENV WEIR_DATA=/data WEIR_HOST=0.0.0.0
WORKDIR /weir
COPY package.json LICENSE bunfig.toml ./
COPY bin ./bin
COPY src ./src
COPY actors ./actors
COPY fixtures ./fixtures
COPY --from=build /weir/node_modules ./node_modules
COPY --chmod=755 deploy/weir-bun /usr/local/bin/weir
RUN install -d -o 1000 -g 1000 -m 700 /data
USER 1000:1000
VOLUME /data
EXPOSE 7070
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["weir", "health"]
ENTRYPOINT ["weir"]
CMD ["start"]

FROM node:20.20.2-bookworm-slim AS node
ENV NODE_ENV=production WEIR_DATA=/data WEIR_HOST=0.0.0.0
WORKDIR /weir
COPY package.json LICENSE ./
COPY bin ./bin
COPY --from=build /weir/dist ./dist
# All other packages are in the bundle.
COPY --from=build /weir/node_modules/@electric-sql ./node_modules/@electric-sql
COPY --from=build /weir/node_modules/@sqlite.org ./node_modules/@sqlite.org
RUN ln -s /weir/bin/weir.mjs /usr/local/bin/weir && install -d -o 1000 -g 1000 -m 700 /data
USER 1000:1000
VOLUME /data
EXPOSE 7070
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["weir", "health"]
ENTRYPOINT ["weir"]
CMD ["start"]
