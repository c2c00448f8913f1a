# SPDX-License-Identifier: BSD-3-Clause
# bash completion for trefoil-geo

_trefoil_geo() {
	local cur prev words cword options
	_init_completion || return

	case $prev in
	-o | --output | -c | --country | -a | --asn | -O | --overlay | -t | --table)
		_filedir
		return
		;;
	-s | --source | --sha256 | -l | --limit)
		return
		;;
	esac
	if [[ $cword -eq 1 ]]; then
		options='build info lookup diff export verify --help --version'
		mapfile -t COMPREPLY < <(compgen -W "$options" -- "$cur")
		return
	fi
	case ${words[1]} in
	build) options='--output --country --asn --overlay --source --json' ;;
	info | export) options='--table --json' ;;
	lookup) options='--table --json' ;;
	diff) options='--limit --json' ;;
	verify) options='--table --sha256 --json' ;;
	*) return ;;
	esac
	if [[ $cur == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$options --help --usage --version" -- "$cur")
	elif [[ ${words[1]} =~ ^(info|export|diff|verify)$ ]]; then
		_filedir
	fi
} &&
	complete -F _trefoil_geo trefoil-geo
