#!/usr/bin/env bash
# Carries out the Dockerfile without a container engine: every instruction of every stage, as it stands there, in clean
# folders. Node and Go are those of this machine. The last stage is built and run inside a root of its own, with busybox
# for Alpine's programs and stand-ins for apk and adduser; that takes root, unshare and busybox on Linux, and is left out without.
# Then the image is started as WeChat Cloud Run would: port 80, an ordinary user, CBR_ENV_ID, nothing writable but /tmp,
# SIGTERM at the end.
#
#   scripts/image-stages.sh [FOLDER]    FOLDER is kept; without it a temporary one is used
set -euo pipefail
top=$(cd "$(dirname "$0")/.." && pwd)
out=${1:-}
if [ -z "$out" ]; then
	out=$(mktemp -d)
	trap 'rm -rf "$out"' EXIT
fi
mkdir -p "$out"
out=$(cd "$out" && pwd)
VERSION=${VERSION:-$(git -C "$top" describe --tags --always --dirty 2>/dev/null || echo devel)}
COMMIT=${COMMIT:-$(git -C "$top" rev-parse HEAD 2>/dev/null || echo unknown)}
say() { printf '\n== %s\n' "$*"; }
die() { echo "image-stages: $*" >&2; exit 1; }

own_root=yes
for need in unshare chroot busybox setcap setpriv mount; do
	command -v "$need" >/dev/null 2>&1 || own_root="$need is missing"
done
[ "$(id -u)" = 0 ] || own_root="this is not root"

# The build context: what git knows and .dockerignore does not leave out.
context=$out/context
rm -rf "$context"
mkdir -p "$context"
(cd "$top" && git ls-files -z --cached --others --exclude-standard) | (cd "$top" && xargs -0 ls -d 2>/dev/null) |
	(cd "$top" && tar cf - -T -) | tar xf - -C "$context"
while read -r pattern; do
	case $pattern in
	'' | '#'* | '!'*) ;;
	'**/'*) find "$context" -name "${pattern#\*\*/}" -prune -exec rm -rf {} + ;;
	*) (cd "$context" && eval "rm -rf ./${pattern#/}") ;;
	esac
done <"$top/.dockerignore"
mkdir -p "$context/webui/dist"
touch "$context/webui/dist/.gitkeep" # the one exception in .dockerignore

# Alpine's place is taken by busybox. apk puts programs of this machine where packages would.
alpine() { # alpine ROOT
	mkdir -p "$1"/{bin,sbin,usr/bin,usr/sbin,etc/apk,proc,dev,tmp,root,packages}
	cp "$(command -v busybox)" "$1/bin/busybox"
	chroot "$1" /bin/busybox --install /bin
	echo 'root:x:0:0:root:/root:/bin/sh' >"$1/etc/passwd"
	echo 'root:x:0:' >"$1/etc/group"
	echo 'root:*::0:::::' >"$1/etc/shadow"
	echo 'https://dl-cdn.alpinelinux.org/alpine/v3.22/main' >"$1/etc/apk/repositories"
	: >"$1/dev/null"
	mkdir -p "$1/packages/libcap" "$1/packages/ca-certificates/etc/ssl" "$1/packages/tzdata/usr/share"
	for file in $(command -v setcap) $(ldd "$(command -v setcap)" | grep -o '/[^ ]*'); do
		mkdir -p "$1/packages/libcap/$(dirname "$file")"
		cp -L "$file" "$1/packages/libcap/$file"
	done
	cp -rL /etc/ssl/certs "$1/packages/ca-certificates/etc/ssl/" 2>/dev/null || true
	cp -rL /usr/share/zoneinfo "$1/packages/tzdata/usr/share/" 2>/dev/null || true
	cat >"$1/sbin/apk" <<'APK'
#!/bin/sh
set -eu
command=$1
shift
virtual=''
while [ $# -gt 0 ]; do
	case $1 in
	--no-cache) ;;
	--virtual) virtual=$2 && shift ;;
	-*) echo "apk: unknown option $1" >&2 && exit 1 ;;
	*)
		if [ "$command" = del ]; then
			for package in $(cat "/packages/$1"); do
				(cd "/packages/$package" && find . -type f) | while read -r file; do rm -f "/$file"; done
			done
		else
			[ -d "/packages/$1" ] || { echo "apk: no package $1" >&2 && exit 1; }
			cp -r "/packages/$1/." /
			[ -z "$virtual" ] || echo "$1" >>"/packages/$virtual"
		fi
		;;
	esac
	shift
done
APK
	cat >"$1/sbin/adduser" <<'ADDUSER'
#!/bin/sh
# Debian's busybox has none: adduser -D -H -u ID NAME
set -eu
[ $# = 5 ] && [ "$1 $2 $3" = '-D -H -u' ]
echo "$5:x:$4:$4::/home/$5:/sbin/nologin" >>/etc/passwd
echo "$5:x:$4:" >>/etc/group
ADDUSER
	chmod +x "$1/sbin/apk" "$1/sbin/adduser"
}

# One line for each instruction.
instructions() { sed -e '/^[[:space:]]*#/d' "$top/Dockerfile" | sed -e ':a' -e '/\\$/{N;s/\\\n//;ba' -e '}' | grep -v '^[[:space:]]*$'; }

path=/usr/sbin:/usr/bin:/sbin:/bin # of Alpine
names=() stage='' root='' workdir=/ user='' entrypoint='' env=() args=() last=''
finish() { [ -z "$root" ] || printf '%s\n' "${env[@]+"${env[@]}"}" >"$out/$stage.env"; }
into() { # into PATH: where that is in the present stage
	case $1 in
	/*) echo "$root$1" ;;
	*) echo "$root${workdir%/}/${1#./}" ;;
	esac
}
copy() { # copy [--from=STAGE] SOURCE… TARGET
	local from=$context target sources=()
	case $1 in --from=*) from=$out/${1#--from=} && shift ;; esac
	sources=("${@:1:$#-1}")
	target=$(into "${@: -1}")
	for source in "${sources[@]}"; do
		source=$from/${source#/}
		[ -e "$source" ] || die "COPY: ${source#"$from"} is not there"
		case $target in */ | */.) mkdir -p "$target" ;; esac
		if [ -d "$source" ]; then
			mkdir -p "$target" && cp -a "$source/." "$target/"
		else
			mkdir -p "$(dirname "$target")" && cp -a "$source" "$target"
		fi
	done
}
run() { # run COMMAND
	if [ "$last" = alpine ]; then
		chroot "$root" /bin/env -i PATH="$path" "${args[@]+"${args[@]}"}" "${env[@]+"${env[@]}"}" /bin/sh -c "cd $workdir && $1"
		return
	fi
	# In a stage with this machine's programs an absolute path of the stage is one below its folder.
	local line=$1
	line=${line//-o \/out\//-o $root\/out\/}
	(cd "$root$workdir" && env "${args[@]+"${args[@]}"}" "${env[@]+"${env[@]}"}" GOFLAGS="${GOFLAGS:-}" /bin/sh -c "$line")
}

while IFS= read -r line; do
	word=${line%% *} rest=${line#* }
	rest=${rest#"${rest%%[![:space:]]*}"}
	case $word in
	FROM)
		finish
		read -r image as name <<<"$rest"
		stage=${name:-image} root=$out/$stage workdir=/ user='' env=() args=() last=${image%%:*}
		[ -z "$as" ] || [ "$as" = AS ] || die "FROM: $rest"
		names+=("$stage")
		rm -rf "$root"
		mkdir -p "$root"
		if [ "$last" = alpine ]; then
			[ "$own_root" = yes ] || { say "stage $stage is left out: $own_root" && exit 0; }
			alpine "$root"
		fi
		say "stage $stage ($image)"
		continue
		;;
	ARG)
		name=${rest%%=*}
		if [ -n "${!name:-}" ]; then
			args+=("$name=${!name}")
		elif [ "$name" != "$rest" ]; then
			args+=("$name=${rest#*=}")
		fi
		;;
	ENV) for pair in $rest; do env+=("${pair//\$PATH/$path}"); done ;;
	WORKDIR) workdir=$rest && mkdir -p "$root$workdir" ;;
	COPY) read -ra words <<<"$rest" && copy "${words[@]}" ;;
	RUN) echo "$rest" | cut -c 1-150 && run "$rest" ;;
	USER) user=$rest ;;
	EXPOSE) [ "$rest" = 80 ] || die "EXPOSE $rest: WeChat Cloud Run expects 80" ;;
	ENTRYPOINT) entrypoint=$(echo "$rest" | tr -d '[]",') ;;
	*) die "unknown instruction $word" ;;
	esac
done < <(instructions)
finish

say "the program is the same whoever builds it"
again=$out/again
rm -rf "$again"
mkdir -p "$again"
cp -a "$out/build/src" "$again/src"
(cd "$again/src" && env CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags "-s -w -X main.version=$VERSION -X main.commit=$COMMIT" -o "$again/wxsteward" ./cmd/wxsteward)
cmp "$again/wxsteward" "$out/build/out/wxsteward" || die "two builds differ"
rm -rf "$again"
chroot "$root" /app/wxsteward version | grep -F "wxsteward $VERSION (commit $COMMIT, " || die "the version is not stamped"
[ ! -e "$root$(command -v setcap)" ] || die "setcap is left in the image"
rm -rf "$root/packages" "$root/sbin/apk" "$root/sbin/adduser"
du -h "$root/app/wxsteward"

say "start as in Cloud Run"
unshare --net --mount --pid --fork --kill-child --mount-proc "$top/scripts/image-run.sh" "$root" "$user" "$out/$stage.env" "$entrypoint"
