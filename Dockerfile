# Two images: "tierline" is the API, the workers and the maintenance, "opencode" the server that runs their agents.
FROM node:24-bookworm-slim AS packages
WORKDIR /app
COPY package.json package-lock.json ./
# The optional ones are Node for a checkout, and native code that everything runs without.
RUN npm ci --omit=dev --omit=optional --ignore-scripts

FROM node:24-bookworm-slim AS opencode-binary
# For an x64 processor without AVX2: --build-arg OPENCODE_VARIANT=-baseline
ARG OPENCODE_VARIANT=
WORKDIR /opencode
COPY package-lock.json ./
# The version that tierline was tested with, as the lock has it.
RUN version=$(node -p "require('./package-lock.json').packages['node_modules/opencode-ai'].version") \
  && package="opencode-linux-$(node -p process.arch)$OPENCODE_VARIANT" \
  && mkdir install && npm install --prefix install --ignore-scripts "$package@$version" \
  && mv "install/node_modules/$package/bin/opencode" /usr/local/bin/opencode

FROM debian:bookworm-slim AS node
COPY --from=packages /usr/local/bin/node /usr/local/bin/node
# Anybody may write there: who runs it is up to compose.
RUN mkdir -m 1777 /data
ENV HOME=/data
USER 1000:1000

FROM node AS opencode
USER 0:0
# What agents call most. Add here what yours need: compilers, linters, languages.
RUN apt-get update \
  && apt-get install -y --no-install-recommends ca-certificates curl git ripgrep \
  && rm -rf /var/lib/apt/lists/*
COPY --from=opencode-binary /usr/local/bin/opencode /usr/local/bin/opencode
USER 1000:1000
WORKDIR /data
EXPOSE 4096
CMD ["opencode", "serve", "--hostname", "0.0.0.0", "--port", "4096"]

FROM node AS tierline
# As `up` starts its roles: src/runtime/child-role.ts.
ENV NODE_ENV=production NODE_OPTIONS=--max-semi-space-size=8
COPY --from=packages /app/node_modules /app/node_modules
COPY package.json LICENSE /app/
COPY src /app/src
COPY workers /app/workers
USER 0:0
RUN ln -s /app/src/cli/bin.js /usr/local/bin/tierline
USER 1000:1000
# Where tierline.yaml is looked for.
WORKDIR /etc/tierline
EXPOSE 4400
CMD ["tierline", "serve"]
