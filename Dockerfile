# docker build -t mlferry . && docker run --rm mlferry demo
FROM node:24-alpine AS build
WORKDIR /mlferry
COPY . .
RUN npm install --ignore-scripts && npm run build && npm pack --ignore-scripts --pack-destination /tmp

FROM node:24-alpine
COPY --from=build /tmp/mlferry-*.tgz /tmp/mlferry.tgz
RUN npm install -g /tmp/mlferry.tgz && rm -rf /tmp/mlferry.tgz /root/.npm \
 && mkdir /data && chown node:node /data
USER node
# Backups and journals: mount a volume here.
WORKDIR /data
ENV XDG_STATE_HOME=/data/.state
ENTRYPOINT ["mlferry"]
