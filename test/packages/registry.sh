#!/usr/bin/env bash
# Publishes a snapshot as a release does, to a registry of its own, and fetches it again: images by the Dockerfile
# of the releases for each platform, the chart, signatures by a key of its own. registry.sh DIST, with HELM and
# COSIGN as environment variables. Needs root, buildah, skopeo and docker-registry; nothing leaves this machine.
set -euo pipefail
cd "$(dirname "$0")/../.."

dist=$(realpath "$1")
if [ "${2:-}" != inside ]; then
	work=$(mktemp -d)
	trap 'rm -rf "$work"' EXIT
	WORK=$work timeout --signal=KILL 180 unshare --mount --net --pid --fork --kill-child --mount-proc "$0" "$dist" inside
	exit
fi
fail() {
	echo "FAIL: $*" >&2
	exit 1
}
ip link set lo up
registry=127.0.0.1:5000
export HOME=$WORK TMPDIR=$WORK COSIGN_PASSWORD=
cat >"$WORK/registry.yml" <<EOF
version: 0.1
log: {level: error}
storage: {filesystem: {rootdirectory: $WORK/registry}}
http: {addr: "$registry"}
EOF
docker-registry serve "$WORK/registry.yml" >/dev/null 2>&1 &
deadline=$((SECONDS + 20))
until curl -sf "http://$registry/v2/" >/dev/null; do
	[ "$SECONDS" -lt "$deadline" ] || fail "the registry does not start"
	sleep 0.1
done

# The checksums are those of the files, and every archive has a bill of materials that names the module.
(cd "$dist" && sha256sum --check --quiet sha256sums.txt)
for archive in "$dist"/*.tar.gz "$dist"/*.zip; do
	grep -q '"github.com/traffic-exporter/traffic_exporter"' "$archive.sbom.json" || fail "$archive has no bill of materials"
done

# The folders that GoReleaser gives Docker; the base image cannot be had without the Internet.
declare -A folders=([amd64]=linux_amd64_v1 [arm64]=linux_arm64_v8.0 [arm/v7]=linux_arm_7)
context=$WORK/context
for platform in "${!folders[@]}"; do
	mkdir -p "$context/linux/$platform"
	cp "$dist/traffic_exporter_${folders[$platform]}/traffic_exporter" "$context/linux/$platform"
done
cp config.example.yaml "$context"
sed 's/^FROM .*/FROM scratch/' deploy/packages/Dockerfile >"$context/Dockerfile"
store() { buildah --root "$WORK/images" --runroot "$WORK/run" --storage-driver vfs "$@"; }
store bud --quiet --isolation chroot --platform linux/amd64,linux/arm64,linux/arm/v7 --manifest traffic_exporter "$context" >/dev/null
store manifest push --quiet --all --tls-verify=false traffic_exporter "docker://$registry/traffic_exporter:v0" >/dev/null

inspect() { skopeo inspect --tls-verify=false "$@" "docker://$registry/traffic_exporter:v0"; }
for platform in "${!folders[@]}"; do
	arch=${platform%/*} variant=
	[ "$arch" = "$platform" ] || variant=${platform#*/}
	pulled=$WORK/pulled-$arch
	mkdir "$pulled"
	skopeo --override-arch "$arch" ${variant:+--override-variant "$variant"} copy --quiet --src-tls-verify=false \
		"docker://$registry/traffic_exporter:v0" "dir:$pulled/image"
	for layer in $(jq -r '.layers[].digest' "$pulled/image/manifest.json"); do
		tar xf "$pulled/image/${layer#sha256:}" --directory "$pulled"
	done
	cmp "$pulled/bin/traffic_exporter" "$dist/traffic_exporter_${folders[$platform]}/traffic_exporter" || fail "linux/$platform has another binary"
	config=$pulled/image/$(jq -r '.config.digest | ltrimstr("sha256:")' "$pulled/image/manifest.json")
	[ "$(jq -r '.architecture + " " + .config.User' "$config")" = "$arch 65532:65532" ] || fail "linux/$platform: $(cat "$config")"
done
native=$(dpkg --print-architecture)
# shellcheck disable=SC2046 # The words of the command.
chroot --userspec=65532:65532 "$WORK/pulled-$native" $(jq -r '.config.Entrypoint[]' "$WORK/pulled-$native/image/"$(jq -r '.config.digest | ltrimstr("sha256:")' "$WORK/pulled-$native/image/manifest.json")) \
	check /etc/traffic_exporter/config.yaml

# The chart that is fetched renders as the one here.
chart=deploy/helm/traffic-exporter
"$HELM" package "$chart" --destination "$WORK" >/dev/null
"$HELM" push --plain-http "$WORK"/traffic-exporter-*.tgz "oci://$registry/charts" >"$WORK/pushed" 2>&1 || fail "$(cat "$WORK/pushed")"
version=$(sed -n 's/^version: //p' "$chart/Chart.yaml")
"$HELM" template traffic --plain-http "oci://$registry/charts/traffic-exporter" --version "$version" 2>/dev/null >"$WORK/fetched.yaml"
"$HELM" template traffic "$chart" | diff - "$WORK/fetched.yaml" || fail "the chart that was fetched differs"

# Signatures by a key, as the workflow's identity needs the Internet.
(cd "$WORK" && "$COSIGN" generate-key-pair 2>/dev/null)
signing=(--key "$WORK/cosign.key" --yes --use-signing-config=false --tlog-upload=false)
echo '{"mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1"}' >"$WORK/trusted.json" # It would be fetched.
verifying=(--key "$WORK/cosign.pub" --insecure-ignore-tlog=true --trusted-root "$WORK/trusted.json")
cosign() { "$COSIGN" "$@" >"$WORK/cosign.log" 2>&1; }
cosign sign-blob "${signing[@]}" --bundle "$WORK/sums.sigstore.json" "$dist/sha256sums.txt" || fail "cosign sign-blob: $(cat "$WORK/cosign.log")"
cosign verify-blob "${verifying[@]}" --bundle "$WORK/sums.sigstore.json" "$dist/sha256sums.txt" || fail "cosign verify-blob: $(cat "$WORK/cosign.log")"
! cosign verify-blob "${verifying[@]}" --bundle "$WORK/sums.sigstore.json" "$0" || fail "the signature holds for any file"
for artifact in "traffic_exporter@$(inspect --format '{{.Digest}}')" "charts/traffic-exporter@$(sed -n 's/^Digest: //p' "$WORK/pushed")"; do
	cosign sign "${signing[@]}" --allow-insecure-registry "$registry/$artifact" || fail "cosign sign $artifact: $(cat "$WORK/cosign.log")"
	cosign verify "${verifying[@]}" --allow-insecure-registry "$registry/$artifact" || fail "cosign verify $artifact: $(cat "$WORK/cosign.log")"
done
echo "ok: images for ${#folders[@]} platforms, the chart, their signatures, checksums and bills of materials"
